"""Recipe files are read whole or refused with their place, and what is written reads back as it was."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.errors import InputError, UsageError
from searchapp.prompts import Prompts
from searchapp.train.recipe import DataSpec, DistilSpec, JudgeSpec, LossSpec, ModelSpec, Recipe, TrainingSpec
from searchapp.train.recipe_checks import check_recipe, find_problem
from searchapp.train.recipe_fields import tree_of
from searchapp.train.recipe_file import (
    apply_overrides,
    fields_of,
    open_recipe,
    parse_recipe,
    recipe_names,
    render_recipe,
)

SMALL = Recipe("small", "a small one", ModelSpec("minilm"))
HEAD = 'name = "mine"\nabout = "of my own"\n[model]\nbase = "minilm"\n'

texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = texts.filter(lambda text: bool(text.strip()))
counts = st.integers(1, 2**31 - 1)
amounts = st.floats(1e-12, 2**31 - 1)
widths = st.lists(st.integers(1, 4096), unique=True, max_size=7).map(lambda dims: tuple(sorted(dims, reverse=True)))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    dims = draw(widths)
    weights = tuple(draw(st.lists(amounts, min_size=len(dims), max_size=len(dims)))) if draw(st.booleans()) else ()
    negative = draw(st.integers(0, 9))
    schedule = draw(st.sampled_from(["linear", "cosine", "constant", "constant_with_warmup"]))
    query, document = draw(texts), draw(texts)
    return Recipe(
        name=draw(names),
        about=draw(texts),
        model=ModelSpec(
            base=draw(names),
            start=draw(st.sampled_from(["pretrained", "random"])),
            pooling=draw(st.sampled_from(["mean", "cls", "lasttoken"])),
            normalize=draw(st.booleans()),
            max_seq_length=draw(st.integers(3, 2**31 - 1)),
        ),
        prompts=Prompts(query, document, "recipe" if query or document else "none"),
        distil=DistilSpec(draw(counts), draw(st.sampled_from([0.0, 0.25])), draw(st.booleans())),
        data=DataSpec(
            text=draw(st.sampled_from(["", "{title}", '{title} "{a b}", \\{color}\n'])),
            split=draw(names),
            positive_grade=draw(st.sampled_from([0, negative + 1])),
            negative_grade=negative,
            negatives=draw(st.integers(0, 9)),
            leakage=draw(st.sampled_from(["drop", "error", "allow"])),
        ),
        loss=LossSpec(
            name=draw(st.sampled_from(["MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"])),
            scale=draw(amounts),
            similarity=draw(st.sampled_from(["cos_sim", "dot_score"])),
            mini_batch_size=draw(counts),
            matryoshka_dims=dims,
            matryoshka_weights=weights,
        ),
        training=TrainingSpec(
            batch_size=draw(st.integers(2, 4096)),
            learning_rate=draw(amounts),
            schedule=schedule,
            warmup_ratio=0.0 if schedule == "constant" else draw(st.floats(0, 1, exclude_max=True)),
            epochs=draw(amounts),
            seed=draw(st.integers(0, 2**32 - 1)),
            checkpoint_every=draw(st.integers(0, 2**31 - 1)),
            precision=draw(st.sampled_from(["fp32", "fp16", "bf16"])),
            keep=draw(st.sampled_from(["best", "last"])),
        ),
        judge=JudgeSpec(
            every=draw(st.one_of(counts, st.just("epoch"))),
            name=draw(st.sampled_from(["dim", "sts-dev", "판정"])),
            measure=draw(texts),
            dims=draw(widths),
        ),
    )


@given(recipes())
def test_what_is_rendered_reads_back_as_the_very_recipe(recipe: Recipe) -> None:
    assert parse_recipe(render_recipe(recipe), "kept.toml") == recipe


@given(recipes(), recipes())
def test_a_fingerprint_is_that_of_all_but_what_is_told_about_it(one: Recipe, other: Recipe) -> None:
    other = dataclasses.replace(other, about=one.about)
    assert (fields_of(one) == fields_of(other)) == (one == other)
    assert fields_of(dataclasses.replace(one, about="else")) == fields_of(one)


def test_a_fingerprint_is_one_across_releases() -> None:
    assert fields_of(SMALL) == fields_of(parse_recipe(render_recipe(SMALL), "kept.toml"))
    whole = dataclasses.replace(SMALL, loss=LossSpec(scale=20))
    assert fields_of(whole) == fields_of(SMALL)
    assert fields_of(dataclasses.replace(SMALL, training=TrainingSpec(seed=43))) != fields_of(SMALL)


def test_what_a_file_leaves_out_takes_its_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD)
    assert open_recipe(path) == Recipe("mine", "of my own", ModelSpec("minilm"))
    assert open_recipe(str(path), ["training.epochs=2"]).training.epochs == 2.0


def test_a_whole_number_is_read_as_the_float_it_stands_for() -> None:
    recipe = parse_recipe(HEAD + "[loss]\nscale = 30\n", "mine.toml")
    assert (recipe.loss.scale, type(recipe.loss.scale)) == (30.0, float)


@pytest.mark.parametrize("name", recipe_names())
def test_a_packaged_recipe_reads_back_as_it_is_shown(name: str) -> None:
    recipe = open_recipe(name)
    assert parse_recipe(render_recipe(recipe), f"{name}.toml") == recipe


def test_what_is_shown_says_what_words_a_field_takes() -> None:
    shown = render_recipe(SMALL).splitlines()
    assert shown[:3] == ['name = "small"', 'about = "a small one"', ""]
    assert 'pooling = "mean"  # mean or cls or lasttoken' in shown
    assert 'every = "epoch"  # a whole number or epoch' in shown
    assert "learning_rate = 2e-05" in shown
    assert "matryoshka_dims = []" in shown
    assert "normalize = false" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[loss]\nscal = 3\n", "mine.toml:6: a recipe has no loss.scal; perhaps loss.scale"),
        ("[los]\nscale = 3\n", "mine.toml:5: a recipe has no los; perhaps loss"),
        ("[loss]\nbatch_size = 3\n", "mine.toml:6: a recipe has no loss.batch_size; perhaps training.batch_size"),
        ("[training]\nlr = 3\n", "mine.toml:6: a recipe has no training.lr; perhaps training.learning_rate"),
        (
            "[distil]\nzzz = 3\n",
            "mine.toml:6: a recipe has no distil.zzz; it has distil.dim, distil.random, distil.normalize",
        ),
        (
            "zzz = 3\n",
            "mine.toml:5: a recipe has no model.zzz; it has model.base, model.start, model.pooling, model.normalize, "
            "model.max_seq_length",
        ),
        (
            "[[zzz]]\n",
            "mine.toml:5: a recipe has no zzz; it has name, about, model, prompts, distil, data, loss, training, judge",
        ),
        ("[[loss]]\n", "mine.toml:5: loss is [{}]; it is a section, written as [loss]"),
        ("[loss]\nscale = true\n", "mine.toml:6: loss.scale is true; it takes a number"),
        ('[loss]\nscale = "20"\n', "mine.toml:6: loss.scale is '20'; it takes a number"),
        ("[loss]\nscale = nan\n", "mine.toml:6: loss.scale holds nan; it takes finite numbers up to 2147483647"),
        ("[loss]\nscale = -inf\n", "mine.toml:6: loss.scale holds -inf; it takes finite numbers up to 2147483647"),
        ("[loss]\nscale = 0\n", "mine.toml:6: loss.scale is 0; it takes more than 0"),
        ("[loss.scale]\na = 1\n", "mine.toml:5: loss.scale is {'a': 1}; it takes a number"),
        ("[training]\nseed = 4294967296\n", "mine.toml:6: training.seed holds 4294967296; it takes finite numbers up"),
        ("[training]\nbatch_size = 2.0\n", "mine.toml:6: training.batch_size is 2.0; it takes a whole number"),
        ("[training]\nbatch_size = true\n", "mine.toml:6: training.batch_size is true; it takes a whole number"),
        ("[training]\nbatch_size = 0\n", "mine.toml:6: training.batch_size is 0; it takes at least 2"),
        (
            "[training]\nbatch_size = 1\n",
            "training.batch_size is 1; it takes at least 2: the other rows of a batch are a row's negatives",
        ),
        ("[training]\naccumulation = 0\n", "training.accumulation is 0; it takes at least 1"),
        ("[training]\nlearning_rate = 0.0\n", "training.learning_rate is 0.0; it takes more than 0"),
        ("[training]\nlearning_rate = -1e-5\n", "training.learning_rate is -1e-05; it takes more than 0"),
        ("[training]\nwarmup_ratio = 1.1\n", "training.warmup_ratio is 1.1; it takes a share of the steps, from 0"),
        ("[training]\nwarmup_ratio = 1\n", "training.warmup_ratio is 1; it takes a share of the steps, from 0 to less"),
        ("[training]\nwarmup_ratio = -0.1\n", "training.warmup_ratio is -0.1; it takes a share of the steps"),
        ("[training]\nepochs = 0\n", "training.epochs is 0; it takes more than 0"),
        ("[training]\nmax_steps = -1\n", "training.max_steps is -1; it takes at least 0, where 0 takes whole epochs"),
        ("[training]\nweight_decay = -1\n", "training.weight_decay is -1; it takes at least 0"),
        ("[training]\nmax_grad_norm = -1\n", "training.max_grad_norm is -1; it takes at least 0"),
        ("[training]\nlog_every = 0\n", "training.log_every is 0; it takes at least 1"),
        ("[training]\ncheckpoint_every = -1\n", "training.checkpoint_every is -1; it takes at least 0, where 0 takes"),
        ("[training]\nsave_steps = 9\n", "a recipe has no training.save_steps; perhaps training.checkpoint_every"),
        ("[training]\nseed = -1\n", "training.seed is -1; it takes from 0 to 4294967295"),
        ("[training]\ntf32 = 1\n", "training.tf32 is 1; it takes true or false"),
        (
            '[training]\nschedule = "cosin"\n',
            "training.schedule is 'cosin'; it takes linear or cosine or constant or constant_with_warmup; perha",
        ),
        (
            '[training]\noptimizer = "sgd"\n',
            "training.optimizer is 'sgd'; it takes adamw_torch or adamw_torch_fused",
        ),
        ('[training]\nsampler = "no_duplicate"\n', "it takes no_duplicates or batch_sampler; perhaps no_duplicates"),
        ('[training]\nprecision = "fp8"\n', "training.precision is 'fp8'; it takes fp32 or fp16 or bf16"),
        ('[training]\nkeep = "best"\n[judge]\nevery = 0\n', "mine.toml:8: judge.every is 0; it takes at least 1"),
        ("[judge]\nevery = true\n", "judge.every is true; it takes a whole number or epoch"),
        ('[judge]\nevery = "epochs"\n', "judge.every is 'epochs'; it takes a whole number or epoch; perhaps epoch"),
        ('[judge]\nname = "sts dev"\n', "judge.name is 'sts dev'; it takes a name without blanks and |"),
        ('[judge]\nname = "a|b"\n', "judge.name is 'a|b'; it takes a name without blanks and |"),
        ("[judge]\ndims = [64, 128]\n", "judge.dims is [64, 128]; it takes widths above 0, widest first, none twice"),
        ("[loss]\nmatryoshka_dims = [64, 64]\n", "loss.matryoshka_dims is [64, 64]; it takes widths above 0"),
        ("[loss]\nmatryoshka_dims = [64, 0]\n", "loss.matryoshka_dims is [64, 0]; it takes widths above 0"),
        (
            "[loss]\nmatryoshka_dims = [64, true]\n",
            "loss.matryoshka_dims is [64, True]; it takes a list of whole numbers such as [256, 128]",
        ),
        ("[loss]\nmatryoshka_dims = 64\n", "loss.matryoshka_dims is 64; it takes a list of whole numbers"),
        (
            "[loss]\nmatryoshka_dims = [64, 32]\nmatryoshka_weights = [1]\n",
            "mine.toml:7: loss.matryoshka_weights are 1 and loss.matryoshka_dims 2; give one weight for each dim",
        ),
        ("[loss]\nmatryoshka_weights = [1, inf]\n", "loss.matryoshka_weights holds inf; it takes finite numbers"),
        ("[loss]\nmatryoshka_weights = [0]\n", "loss.matryoshka_weights is [0]; it takes weights above 0"),
        ("[loss]\nmini_batch_size = 0\n", "loss.mini_batch_size is 0; it takes at least 1"),
        (
            "[data]\nnegative_grade = 3\npositive_grade = 3\n",
            "mine.toml:7: data.positive_grade is 3 and data.negative_grade 3; what is relevant needs a higher grade",
        ),
        ("[data]\npositive_grade = -1\n", "data.positive_grade is -1; it takes at least 0"),
        ("[data]\nnegative_grade = -1\n", "data.negative_grade is -1; it takes at least 0"),
        ("[data]\nnegatives = -1\n", "data.negatives is -1; it takes at least 0"),
        ('[data]\ntext = "{title"\n', "data.text is '{title'; it takes a template such as {title}, {brand}"),
        ('[data]\nanchor = "title"\n', "data.anchor is 'title'; it takes a template such as {title}, {brand}"),
        ('[data]\nleakage = "ignore"\n', "data.leakage is 'ignore'; it takes drop or error or allow"),
        ('[data]\nsplit = " "\n', "data.split is ' '; it takes a name"),
        (
            '[training]\nschedule = "constant"\n',
            "training.schedule is constant, which never warms up, and training.warmup_ratio 0.1; "
            "take constant_with_warmup, or a warmup_ratio of 0",
        ),
        ('max_seq_length = 2\n', "model.max_seq_length is 2; it takes at least 3: a token and the special ones"),
        ('start = "none"\n', "model.start is 'none'; it takes pretrained or random or distil"),
        (
            'start = "distil"\n[loss]\nmatryoshka_dims = [512, 32]\n',
            "mine.toml:7: loss.matryoshka_dims begins with 512 and distil.dim is 256; no vector is wider than that",
        ),
        ('start = "distil"\n[judge]\ndims = [257]\n', "judge.dims begins with 257 and distil.dim is 256"),
        ("[distil]\ndim = 0\n", "distil.dim is 0; it takes at least 1"),
        ("[distil]\nrandom = -0.5\n", "distil.random is -0.5; it takes at least 0, where 0 adds nothing"),
    ],
)  # fmt: skip
def test_a_file_is_refused_with_its_line_what_was_found_and_what_fits(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe(HEAD + text, "mine.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("mine.toml:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "a"\nabout = ""\n', "mine.toml: model.base is missing; it takes text in quotes"),
        ('about = ""\n[model]\nbase = "a"\n', "mine.toml: name is missing; it takes text in quotes"),
        ('name = ""\nabout = ""\n[model]\nbase = "a"\n', "mine.toml:1: name is ''; it takes a name"),
        ('name = "a"\nabout = ""\n[model]\nstart = "random"\n', "mine.toml:3: model.base is missing"),
        ('name = "a"\nabout = ""\nmodel = "minilm"\n', "mine.toml:3: model is 'minilm'; it is a section, written as ["),
        ('name = "a"\n[model\n', "mine.toml:2: not TOML: Expected ']' at the end of a table declaration"),
        ('name = "a"\nname = "b"\n', "mine.toml:2: not TOML: Cannot overwrite a value"),
    ],
)
def test_what_is_missing_or_no_toml_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe(text, "mine.toml")
    assert str(caught.value).startswith(message)


def test_the_line_is_that_of_the_field_and_not_of_a_text_that_looks_like_it() -> None:
    text = HEAD.replace('"of my own"', '"""\n[loss]\nscale = 0\n"""') + "[loss]\nmatryoshka_dims = [\n  32,\n  64,\n]\n"
    with pytest.raises(InputError, match=r"^mine\.toml:9: loss\.matryoshka_dims is \[32, 64\]"):
        parse_recipe(text, "mine.toml")


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.toml: No such file or directory; name a recipe file, or one of"):
        open_recipe(tmp_path / "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match=r"bytes\.toml: byte 9 is not UTF-8; save the recipe as UTF-8"):
        open_recipe(tmp_path / "bytes.toml")


def test_an_unknown_name_is_refused_with_the_nearest_and_all_that_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        open_recipe("swahili")
    assert str(caught.value) == (
        "no recipe is called 'swahili'; perhaps swahili-matryoshka; there are allnli-matryoshka, e5-acronyms, esci, "
        "judgments, rotation, static-matryoshka, swahili-matryoshka, or name a file that ends in .toml"
    )
    with pytest.raises(UsageError, match="no recipe is called '#'; there are allnli"):
        open_recipe("#")


@pytest.mark.parametrize(
    ("override", "section", "field", "value"),
    [
        ("loss.scale=30", "loss", "scale", 30.0),
        ("loss.matryoshka_dims=[384,128]", "loss", "matryoshka_dims", (384, 128)),
        ("loss.matryoshka_dims=384, 128", "loss", "matryoshka_dims", (384, 128)),
        ("loss.matryoshka_dims=384", "loss", "matryoshka_dims", (384,)),
        ("loss.matryoshka_dims=[]", "loss", "matryoshka_dims", ()),
        ("loss.matryoshka_dims=", "loss", "matryoshka_dims", ()),
        ("judge.every=epoch", "judge", "every", "epoch"),
        ("judge.every=25", "judge", "every", 25),
        ('judge.every="epoch"', "judge", "every", "epoch"),
        ("training.learning_rate=1e-6", "training", "learning_rate", 1e-6),
        ("training.tf32=true", "training", "tf32", True),
        (" training.keep =best", "training", "keep", "best"),
        ("prompts.query=search_query: ", "prompts", "query", "search_query: "),
        ('prompts.query="a\\tb"', "prompts", "query", "a\tb"),
        ("prompts.query=", "prompts", "query", ""),
        ('data.text={a}="{b}', "data", "text", '{a}="{b}'),
        ("model.base=12", "model", "base", "12"),
    ],
)
def test_set_changes_one_field_as_it_is_typed(override: str, section: str, field: str, value: Any) -> None:
    recipe = apply_overrides(SMALL, [override])
    held = getattr(getattr(recipe, section), field)
    assert (held, type(held)) == (value, type(value))
    reverted = dataclasses.replace(recipe, **{section: getattr(SMALL, section)})
    assert reverted == SMALL


def test_the_last_of_two_counts_and_the_name_can_be_set() -> None:
    recipe = apply_overrides(SMALL, ["loss.scale=1", "name=other", "loss.scale=2"])
    assert (recipe.loss.scale, recipe.name) == (2.0, "other")
    assert apply_overrides(SMALL, []) is SMALL


def test_set_of_a_dim_and_its_weights_goes_together_in_any_order() -> None:
    for overrides in (("loss.matryoshka_weights=1,.5", "loss.matryoshka_dims=64,32"), ("loss.matryoshka_dims=64,32",)):
        assert apply_overrides(SMALL, overrides).loss.matryoshka_dims == (64, 32)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.scale", "--set loss.scale: no value; type it like --set loss.scale=30"),
        ("scale=3", "--set scale=3: a recipe has no scale; perhaps loss.scale"),
        ("training.epoch=3", "--set training.epoch=3: a recipe has no training.epoch; perhaps training.epochs"),
        ("loss=3", "--set loss=3: loss is a section; its fields are loss.name, loss.scale, loss.similarity,"),
        (
            "prompts.source=x",
            "--set prompts.source=x: a recipe has no prompts.source; it has prompts.query, prompts.document",
        ),
        ("loss.scale=x", "--set loss.scale=x: loss.scale is 'x'; it takes a number"),
        ("loss.scale=nan", "--set loss.scale=nan: loss.scale holds nan; it takes finite numbers up to 2147483647"),
        ("loss.scale=true", "--set loss.scale=true: loss.scale is 'true'; it takes a number"),
        ("training.tf32=1", "--set training.tf32=1: training.tf32 is '1'; it takes true or false"),
        (
            "training.batch_size=1.5",
            "--set training.batch_size=1.5: training.batch_size is 1.5; it takes a whole number",
        ),
        ("loss.matryoshka_dims=1,x", "loss.matryoshka_dims is [1, 'x']; it takes a list of whole numbers such as ["),
        ("loss.matryoshka_weights=1", "--set loss.matryoshka_weights=1: loss.matryoshka_weights are 1 and"),
        ("name=\udcff", "name is '\\udcff', which is not Unicode; save the text as UTF-8"),
        ("training.schedule=constant", "--set training.schedule=constant: training.schedule is constant, which never"),
    ],
)
def test_a_bad_set_is_refused_with_what_was_typed(override: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        apply_overrides(SMALL, [override])
    assert message in str(caught.value)


def test_a_set_that_another_field_does_not_go_with_is_named_too() -> None:
    weighted = dataclasses.replace(SMALL, loss=LossSpec(matryoshka_dims=(64, 32), matryoshka_weights=(1.0, 2.0)))
    with pytest.raises(UsageError, match=r"^--set loss\.matryoshka_dims=64: loss\.matryoshka_weights are 2"):
        apply_overrides(weighted, ["loss.matryoshka_dims=64"])


def test_recipes_made_in_python_are_held_to_the_same() -> None:
    check_recipe(SMALL)
    with pytest.raises(UsageError, match=r"^recipe 'small': training\.batch_size is 1; it takes at least 2"):
        check_recipe(dataclasses.replace(SMALL, training=TrainingSpec(batch_size=1)))
    with pytest.raises(UsageError, match=r"^recipe 'small': loss\.matryoshka_dims is \[1, 2\]; it takes widths"):
        render_recipe(dataclasses.replace(SMALL, loss=LossSpec(matryoshka_dims=(1, 2))))


def test_nothing_is_wrong_with_a_mini_batch_beyond_the_batch() -> None:
    assert find_problem(tree_of(dataclasses.replace(SMALL, loss=LossSpec(mini_batch_size=4096)))) is None
