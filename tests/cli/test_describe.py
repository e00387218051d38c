from automl.cli._describing import default_text, type_text
from automl.plugins import registry


def test_describe_shows_options_metrics_paper_and_source(automl):
    shown = automl("describe", "evaluator", "tiny_components:Score").out
    assert "Distance from the middle, and the size." in shown
    assert "Paper: Nobody. On points. 2026." in shown
    assert "What the score is multiplied by." in shown
    assert "plain | raise | explode" in shown
    assert "float > 0" in shown
    assert "The higher the better." in shown


def test_kind_may_be_left_out_where_the_name_says_it(automl):
    assert automl("describe", "random_search").out == automl("describe", "strategy", "random_search").out


def test_unknown_name_is_answered_with_the_nearest(automl):
    bare, of_kind = automl("describe", "random_serch"), automl("describe", "strategy", "random_serch")
    assert (bare.code, of_kind.code) == (2, 4)
    assert "did you mean 'random_search'?" in bare.err
    assert "did you mean 'random_search'?" in of_kind.err


def test_too_many_words_are_a_usage_error(automl):
    assert automl("describe", "a", "b", "c").code == 2
    assert automl("describe", "spice", "nas_cell").code == 2


def test_component_that_cannot_be_imported_is_a_plugin_error(automl):
    ran = automl("describe", "space", "nowhere:Space")
    assert (ran.code, "cannot be imported" in ran.err) == (4, True)


def test_class_and_kind_alone_say_what_is_meant(automl):
    bare = automl("describe", "tiny_components:Score")
    assert (bare.code, bare.out) == (0, automl("describe", "evaluator", "tiny_components:Score").out)
    assert automl("describe", "task").out == automl("describe", "tasks").out == automl("list", "task").out


def test_class_that_is_no_component_is_a_plugin_error(automl):
    neither, nowhere = automl("describe", "tiny_components:NoSpace"), automl("describe", "nowhere:Space")
    assert (neither.code, "is no component" in neither.err) == (4, True)
    assert (nowhere.code, "cannot be imported" in nowhere.err) == (4, True)
    assert "Python looks in the current folder" in nowhere.err


def test_every_registered_component_can_be_described(automl):
    for kind, name in registry().components:
        shown = automl("describe", kind, name)
        assert shown.code == 0, shown.err
        for option, field in registry().load(kind, name).Options.model_fields.items():
            assert option in shown.out
            assert type_text(field)
            assert default_text(field)
            assert field.description, f"option {option} of {name} has no description"


def test_proxy_is_described_with_its_metrics_and_how_to_have_it_measured(automl):
    shown = automl("describe", "proxy", "te_nas").out
    assert "te_nas_condition   min" in shown
    assert "--evaluator zero_cost --set zero_cost.proxies=te_nas" in shown
    assert "by the aggregator rank_sum" in shown
    assert "targets, double backward" in automl("describe", "proxy", "grasp").out


def test_defaults_are_written_as_people_write_them():
    fields = registry().load("evaluator", "zero_cost").Options.model_fields
    assert default_text(fields["proxies"]).startswith("[naswot, synflow,")
    assert default_text(registry().load("evaluator", "ntk").Options.model_fields["training"]) == "its defaults"


def test_name_of_another_kind_is_said_to_be_one(automl):
    ran = automl("describe", "evaluator", "naswot")
    assert "'naswot' is the name of a proxy (see `automl describe proxy naswot`)" in ran.err


def test_space_is_described_with_its_named_architectures_and_their_titles(automl):
    shown = automl("describe", "space", "nas_bench_201").out
    assert "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|" in shown
    assert "resnet" in shown
    assert """--set 'strategy.start=["resnet", "all_conv_3x3"]'""" in shown
    assert "with a name" not in automl("describe", "space", "automl_fakes:MlpSpace").out


def test_strategy_is_described_with_the_options_that_all_have(automl):
    shown = automl("describe", "strategy", "random_search").out
    assert "list of str | table" in shown
    assert "Architectures to propose first" in shown
