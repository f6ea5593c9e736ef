"""A report as people read it: a page, pictures, tables in Markdown, a model card."""
