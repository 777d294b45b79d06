//! An animated SVG in a single file: SMIL without scripts, mid-tone colours on a transparent background, for light and dark
//! pages.

use std::fmt::Write;

use spo_envs::Shape;

use super::raster::paint;
use super::scene::{Actor, Role, Scene};

/// Seconds that the last frame stays before the animation repeats.
const HOLD: f32 = 1.0;
/// Seconds between two changes of the text: nobody can read it faster, and each change needs an element.
const READ: f32 = 0.1;

/// Draws the scene as the text of an SVG file.
pub fn draw(scene: &Scene) -> String {
    let [width, height] = scene.size;
    let (letters, title) = (scene.letters(), escaped(&scene.title));
    let hold = (HOLD / scene.period).ceil() as usize;
    let clock = Clock { hold, seconds: (scene.frames() + hold) as f32 * scene.period };
    let last = scene.labels.last().map_or("", String::as_str);

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{title}, {last}</title>\n<style>\
         text{{font:{letters:.1}px system-ui,sans-serif;fill:{text};font-variant-numeric:tabular-nums}}\
         .title{{font-weight:bold}}\
         .grid{{fill:none;stroke:{text};stroke-opacity:.16}}\
         line{{stroke-linecap:round}}\
         .scenery{{stroke:{scenery}}}\
         .mark{{fill:{mark_inside};stroke:{mark};stroke-width:1.5}}\
         line.figure{{stroke:{figure};stroke-opacity:{figure_alpha}}}\
         circle.figure{{fill:{figure};fill-opacity:{figure_alpha}}}</style>\n",
        text = hex(paint::TEXT),
        scenery = hex(paint::SCENERY),
        mark = hex(paint::MARK),
        mark_inside = hex(paint::MARK_INSIDE),
        figure = hex(paint::FIGURE),
        figure_alpha = paint::FIGURE_ALPHA,
    );

    let [x, y] = scene.offset(0);
    let _ = write!(out, "<g transform=\"translate({} {})\">", short(x), short(y));
    if scene.camera.len() > 1 {
        let places: Vec<String> =
            scene.camera.iter().map(|[x, y]| format!("{} {}", short(*x), short(*y))).collect();
        let _ = write!(
            out,
            "<animateTransform attributeName=\"transform\" type=\"translate\" {}/>",
            clock.values(&places)
        );
    }
    out += "\n<path class=\"grid\" d=\"";
    for [[x1, y1], [x2, y2]] in &scene.grid {
        let _ = write!(out, "M{} {}L{} {}", short(*x1), short(*y1), short(*x2), short(*y2));
    }
    out += "\"/>\n";
    for actor in &scene.actors {
        draw_actor(&mut out, actor, &clock);
    }
    out += "</g>\n";

    let (left, first, second) = (0.6 * letters, 1.3 * letters, 2.6 * letters);
    let right = width as f32 - left;
    let _ = writeln!(out, "<text x=\"{left:.1}\" y=\"{first:.1}\" class=\"title\">{title}</text>");
    let _ = writeln!(
        out,
        "<text x=\"{right:.1}\" y=\"{first:.1}\" text-anchor=\"end\" opacity=\".7\">{}</text>",
        scene.scale
    );
    draw_labels(&mut out, scene, &clock, [left, second]);
    out += "</svg>\n";
    out
}

/// The timing of animated values: each lasts for one frame, the last one longer.
struct Clock {
    hold: usize,
    seconds: f32,
}

impl Clock {
    /// Attributes of an animation through `values`.
    fn values(&self, values: &[String]) -> String {
        let held = values.iter().chain(std::iter::repeat_n(&values[values.len() - 1], self.hold));
        let list: Vec<&str> = held.map(String::as_str).collect();
        format!("values=\"{}\" {}", list.join(";"), self.loops())
    }

    fn loops(&self) -> String {
        format!("calcMode=\"discrete\" dur=\"{:.2}s\" repeatCount=\"indefinite\"", self.seconds)
    }
}

fn draw_actor(out: &mut String, actor: &Actor, clock: &Clock) {
    let class = match actor.role {
        Role::Scenery => "scenery",
        Role::Mark => "mark",
        Role::Figure => "figure",
    };
    // Where it is missing it keeps the place that it had, unseen.
    let mut shapes = Vec::with_capacity(actor.shapes.len());
    let Some(mut known) = actor.shapes.iter().flatten().next().copied() else { return };
    for shape in &actor.shapes {
        known = shape.unwrap_or(known);
        shapes.push(attributes(known));
    }
    let tag = if matches!(known, Shape::Line { .. }) { "line" } else { "circle" };
    let _ = write!(out, "<{tag} class=\"{class}\"");
    let mut moving = String::new();
    for (i, (name, value)) in shapes[0].iter().enumerate() {
        let _ = write!(out, " {name}=\"{value}\"");
        let values: Vec<String> = shapes.iter().map(|s| s[i].1.clone()).collect();
        if values.iter().any(|v| v != value) {
            let _ = write!(moving, "<animate attributeName=\"{name}\" {}/>", clock.values(&values));
        }
    }
    if actor.shapes.iter().any(Option::is_none) {
        let seen = |shape: &Option<Shape>| if shape.is_some() { "visible" } else { "hidden" }.to_string();
        let values: Vec<String> = actor.shapes.iter().map(seen).collect();
        let _ = write!(out, " visibility=\"{}\"", values[0]);
        let _ = write!(moving, "<animate attributeName=\"visibility\" {}/>", clock.values(&values));
    }
    let _ = if moving.is_empty() { writeln!(out, "/>") } else { writeln!(out, ">{moving}</{tag}>") };
}

fn attributes(shape: Shape) -> Vec<(&'static str, String)> {
    match shape {
        Shape::Line { from, to, width } => vec![
            ("x1", short(from[0])),
            ("y1", short(from[1])),
            ("x2", short(to[0])),
            ("y2", short(to[1])),
            ("stroke-width", short(width)),
        ],
        Shape::Circle { centre, radius } => {
            vec![("cx", short(centre[0])), ("cy", short(centre[1])), ("r", short(radius))]
        }
    }
}

/// Text cannot be animated, so there is one element per reading, and each is visible in its turn.
fn draw_labels(out: &mut String, scene: &Scene, clock: &Clock, [x, y]: [f32; 2]) {
    let stride = (READ / scene.period).round().max(1.0) as usize;
    let share = |index: usize| index as f32 * scene.period / clock.seconds;
    let last = scene.frames() - 1;
    let mut starts: Vec<usize> = (0..last).step_by(stride).collect();
    starts.push(last);
    for (i, &start) in starts.iter().enumerate() {
        let text = &scene.labels[start];
        let (seen, times) = match (start, starts.get(i + 1)) {
            (0, None) => {
                let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
                return;
            }
            (0, Some(&next)) => ("visible;hidden", format!("0;{:.5}", share(next))),
            (_, Some(&next)) => {
                ("hidden;visible;hidden", format!("0;{:.5};{:.5}", share(start), share(next)))
            }
            (_, None) => ("hidden;visible", format!("0;{:.5}", share(start))),
        };
        let now = if start == 0 { "visible" } else { "hidden" };
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" visibility=\"{now}\">{text}<animate attributeName=\"visibility\" \
             values=\"{seen}\" keyTimes=\"{times}\" {}/></text>",
            clock.loops()
        );
    }
}

/// Rounds to a tenth of a pixel, written with as few characters as possible.
fn short(value: f32) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0").unwrap_or(&text) {
        "-0" => "0".into(),
        text => text.into(),
    }
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
