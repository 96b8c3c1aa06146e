import pytest

from packing.weights import BOX_G, Tolerance, expected_weight, is_unlikely, read_weight


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("1234", 1234),
        (" 1234 g ", 1234),
        ("1.234 kg", 1234),
        ("1,5kg", 1500),
        ("0.350", 350),  # a decimal without a unit is kilograms
        ("ST,GS,+  1.234kg", 1234),
        ("US,NT,+0000.50 kg", 500),
        ("2 lb", 907),
        ("8oz", 227),
        ("0", 0),
        ("", None),
        ("-5", None),
        ("heavy", None),
        ("1.2.3", None),
        ("9999999999", None),
        ("4006381333931", None),  # an article scanned into the wrong field
    ],
)
def test_what_people_and_scales_type_is_read(text, grams):
    assert read_weight(text) == grams


def test_package_weighs_its_articles_and_its_box():
    assert expected_weight([(2, 300), (1, 100)], 150) == 850
    assert expected_weight([(2, 300), (1, None)], 150) is None
    assert expected_weight([], 150) is None


@pytest.mark.parametrize(
    ("grams", "is_wrong"), [(899, True), (900, False), (1000, False), (1100, False), (1101, True)]
)
def test_weight_may_be_off_by_the_tolerance(grams, is_wrong):
    assert is_unlikely(grams, 1000, Tolerance(10, 50), is_box_known=True) == is_wrong


def test_light_packages_may_be_off_by_some_grams():
    assert not is_unlikely(70, 30, Tolerance(10, 50), is_box_known=True)
    assert is_unlikely(81, 30, Tolerance(10, 50), is_box_known=True)


def test_unknown_box_may_weigh_what_boxes_weigh():
    assert not is_unlikely(1000 + BOX_G, 1000, Tolerance(10, 50), is_box_known=False)
    assert is_unlikely(899, 1000, Tolerance(10, 50), is_box_known=False)


def test_nothing_is_unlikely_when_an_article_is_not_known():
    assert not is_unlikely(99_999, None, Tolerance(0, 0), is_box_known=True)
