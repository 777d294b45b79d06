//! The colours of every picture and page: those of Okabe and Ito (2008), which colour-blind people can distinguish.
//!
//! Their yellow is left out, since it cannot be read on white. The pages take the same colours from
//! `web/files/palette.css`; a test checks that both are the same.

use plotters::style::RGBColor;

/// The colours in the order in which they are given out: blue, vermilion, green, purple, orange, sky blue, black.
pub const COLORS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x00, 0x00, 0x00),
];

/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xE3, 0xE6, 0xEA);
/// Axes and their numbers.
pub(crate) const SOFT: RGBColor = RGBColor(0x50, 0x58, 0x62);
/// Titles and names.
pub(crate) const TEXT: RGBColor = RGBColor(0x1B, 0x21, 0x29);

/// Methods of the repository's experiments, by the place of their colour. A method has one colour in every picture.
/// Names that end in a number (`reward2000`) have the colour of the name before it.
const METHODS: [(&str, usize); 35] = [
    ("skyline", 6),
    ("ppo", 6),
    // Self-play with its default settings.
    ("group", 0),
    ("self-play", 0),
    ("self_play", 0),
    ("average", 0),
    ("windows10", 0),
    ("device", 0),
    ("relabel", 0),
    // A reward model with its default settings.
    ("reward", 1),
    ("reward model", 1),
    ("reward_model", 1),
    ("iterated", 1),
    ("rlhf", 1),
    ("rlaif", 1),
    // Other forms of self-play.
    ("whole", 2),
    ("last", 2),
    ("host", 2),
    ("collection", 2),
    ("safe_self_play", 2),
    ("queue", 5),
    ("queue_average", 5),
    ("windows20", 5),
    ("optimistic", 5),
    ("self_play_one_order", 5),
    // Other forms of reward models.
    ("ensemble", 4),
    ("one_shot", 4),
    ("safe_rlhf", 4),
    ("rlaif_one_order", 4),
    ("reward_model_average", 3),
    ("split", 3),
    ("d_rlaif", 3),
    // Other methods.
    ("search", 3),
    ("sppo", 3),
    ("ppo_lagrangian", 3),
];

/// The colour of a known method.
pub(crate) fn own_exactly(method: &str) -> Option<usize> {
    METHODS.iter().find(|(known, _)| *known == method).map(|(_, place)| *place)
}

/// The colour of a known method, whose name may end in a number.
fn own(method: &str) -> Option<usize> {
    own_exactly(method).or_else(|| own_exactly(method.trim_end_matches(|c: char| c.is_ascii_digit())))
}

/// A colour for each of the methods of one picture: a known method's own colour, otherwise an unused one while there are any.
pub fn of_methods(methods: &[impl AsRef<str>]) -> Vec<RGBColor> {
    let mut places: Vec<Option<usize>> = Vec::new();
    for method in methods {
        places.push(own_exactly(method.as_ref()).filter(|place| !places.contains(&Some(*place))));
    }
    for at in 0..places.len() {
        let near = own(methods[at].as_ref()).filter(|place| !places.contains(&Some(*place)));
        places[at] = places[at].or(near);
    }
    for at in 0..places.len() {
        // Black is only for the skyline.
        let free = (0..COLORS.len() - 1).find(|place| !places.contains(&Some(*place)));
        places[at] = places[at].or(free).or(Some(at % COLORS.len()));
    }
    places.into_iter().flatten().map(|place| COLORS[place]).collect()
}

/// The colour of the n-th curve of a picture whose curves have no names of methods.
pub fn nth(entry: usize) -> RGBColor {
    COLORS[entry % COLORS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_has_one_colour_and_no_two_of_a_picture_share_it() {
        let [blue, vermilion, green, .., black] = COLORS;
        assert_eq!(of_methods(&["skyline", "group", "reward"]), [black, blue, vermilion]);
        assert_eq!(of_methods(&["reward_model", "group"]), [vermilion, blue]);
        // A name that ends in a number has the colour of the name; a second such method gets an unused colour.
        assert_eq!(of_methods(&["whole", "reward2000"]), [green, vermilion]);
        let six = of_methods(&["group", "reward", "reward2000", "mine", "yours", "skyline"]);
        assert!((0..6).all(|i| !six[..i].contains(&six[i])), "{six:?}");
        assert_eq!(of_methods(&["a"; 9]).len(), 9);
    }

    #[test]
    fn the_pages_have_the_same_colours() {
        let css = include_str!("../../web/files/palette.css");
        let day = css.split("@media").next().unwrap();
        for (entry, RGBColor(r, g, b)) in COLORS.into_iter().enumerate() {
            let line = format!("--run-{entry}: #{r:02x}{g:02x}{b:02x};");
            assert!(day.contains(&line), "{line}: {css}");
            assert_eq!(
                css.matches(&format!("--run-{entry}:")).count(),
                2,
                "one by day, one by night: {entry}"
            );
        }
        assert!(!css.contains(&format!("--run-{}:", COLORS.len())), "{css}");
    }
}
