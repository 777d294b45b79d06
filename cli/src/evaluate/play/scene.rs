//! How an episode lies on a picture: what stands still and what moves, its place, the grid, the words.
//!
//! A [`Frame`](spo_envs::Frame) has no colours. What never changes over the episode is scenery, what does is the
//! figure, and colours follow from that.

use spo_envs::Shape;

use super::camera::{ENDLESS, Figure, View};
use super::{Recording, Still};

/// What a shape is, by its motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A line that stands still: floors, walls, rails.
    Scenery,
    /// A circle that stands still: goals, hazards, pivots.
    Mark,
    /// Whatever moves.
    Figure,
}

/// A shape over the whole film, in pixels: world coordinates times the scale, y downwards.
#[derive(Clone, Debug)]
pub struct Actor {
    /// What it is.
    pub role: Role,
    /// One a still, or a single one where it stands still; `None` where it is not there.
    pub shapes: Vec<Option<Shape>>,
}

impl Actor {
    /// The shape in the still `index`.
    pub fn at(&self, index: usize) -> Option<Shape> {
        self.shapes[if self.shapes.len() == 1 { 0 } else { index }]
    }
}

/// An episode laid out on a picture.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The task.
    pub title: String,
    /// The length of a square of the grid.
    pub scale: String,
    /// Time, return and cost, one line a still.
    pub labels: Vec<String>,
    /// Seconds that a still is shown.
    pub period: f32,
    /// Width and height of the picture in pixels, the header included.
    pub size: [u32; 2],
    /// Pixels of the header, above the window.
    pub header: f32,
    /// Back to front.
    pub actors: Vec<Actor>,
    /// Pixels of a side of the grid's squares.
    pub square: f32,
    /// Grid lines as ends in pixels, over everything that the camera sees.
    pub grid: Vec<[[f32; 2]; 2]>,
    /// What to add to pixels of the world for their place on the picture, one a still or one for all.
    pub camera: Vec<[f32; 2]>,
}

impl Scene {
    /// Lays out a film on a picture of `width` pixels.
    pub fn new(film: &Recording, width: u32) -> Self {
        Self::of_takes(film, &[film.stills.len()], width)
    }

    /// Lays out several films of a task on pictures of one scale, which show the same place where the camera stands
    /// still; nothing where there is no film.
    pub fn side_by_side(films: &[Recording], width: u32) -> Vec<Self> {
        let Some(first) = films.first() else { return Vec::new() };
        let stills = films.iter().flat_map(|film| film.stills.iter().cloned()).collect();
        let takes: Vec<usize> = films.iter().map(|film| film.stills.len()).collect();
        let mut rest = Self::of_takes(&Recording { stills, ..first.clone() }, &takes, width);
        let own = takes.iter().map(|&stills| rest.split_off_first(stills));
        own.collect()
    }

    /// The first `stills` of them, which are taken off.
    fn split_off_first(&mut self, stills: usize) -> Self {
        fn first<T: Clone>(of: &mut Vec<T>, stills: usize) -> Vec<T> {
            // One for all stands for each.
            if of.len() == 1 { of.clone() } else { of.drain(..stills).collect() }
        }
        let actors = self.actors.iter_mut();
        let actors = actors.map(|a| Actor { role: a.role, shapes: first(&mut a.shapes, stills) }).collect();
        Self {
            labels: self.labels.drain(..stills).collect(),
            camera: first(&mut self.camera, stills),
            actors,
            title: self.title.clone(),
            scale: self.scale.clone(),
            grid: self.grid.clone(),
            ..*self
        }
    }

    /// Lays out a film of several episodes, `takes` stills each.
    fn of_takes(film: &Recording, takes: &[usize], width: u32) -> Self {
        let mut actors = actors(&film.stills);
        let figure = Figure::of(&actors, film.stills.len());
        let view = View::of(&actors, &figure, film.period(), takes);
        let seen = view.seen();
        let scale = width as f32 / view.extent[0];
        let header = header(width);
        for actor in &mut actors {
            if figure.stands_on(actor) {
                actor.shapes.iter_mut().for_each(|shape| *shape = shape.and_then(|s| cut(s, seen)));
            }
            actor.shapes.iter_mut().flatten().for_each(|shape| *shape = in_pixels(*shape, scale));
        }
        actors.retain(|a| a.shapes.iter().any(Option::is_some));

        // Whole pixels: lines of the grid look the same wherever the camera is.
        let camera = view.centres.iter().map(|[x, y]| {
            let [left, top] = [0.5 * view.extent[0] - x, 0.5 * view.extent[1] + y];
            [(left * scale).round(), (header + top * scale).round()]
        });
        let square = nice(view.extent[0] / 8.0);
        Self {
            title: film.env.clone(),
            scale: format!("grid {square} m"),
            labels: labels(film),
            period: film.period(),
            size: [width, (header + view.extent[1] * scale).round() as u32],
            header,
            camera: camera.collect(),
            square: square * scale,
            grid: grid(seen, square, scale),
            actors,
        }
    }

    /// How many stills there are.
    pub fn frames(&self) -> usize {
        self.labels.len()
    }

    /// What to add to pixels of the world in the still `index`.
    pub fn offset(&self, index: usize) -> [f32; 2] {
        self.camera[if self.camera.len() == 1 { 0 } else { index }]
    }

    /// Height of the letters in pixels.
    pub fn letters(&self) -> f32 {
        self.header / 3.2
    }
}

/// Two lines of text, in proportion to the picture but legible.
fn header(width: u32) -> f32 {
    3.2 * (width as f32 / 34.0).clamp(10.0, 22.0)
}

/// Shapes by their place in the frames, a line and a circle in the same place apart, those that stand still as one.
fn actors(stills: &[Still]) -> Vec<Actor> {
    let places = stills.iter().map(|s| s.frame.shapes.len()).max().unwrap_or(0);
    let mut actors = Vec::new();
    for place in 0..places {
        for line in [true, false] {
            let pick = |still: &Still| {
                let shape = *still.frame.shapes.get(place)?;
                (matches!(shape, Shape::Line { .. }) == line && is_finite(shape)).then_some(shape)
            };
            let mut shapes: Vec<Option<Shape>> = stills.iter().map(pick).collect();
            if shapes.iter().all(Option::is_none) {
                continue;
            }
            let still = shapes.iter().all(|s| *s == shapes[0]);
            if still {
                shapes.truncate(1);
            }
            let role = match (still, line) {
                (true, false) => Role::Mark,
                (false, _) if !shapes.iter().flatten().all(|s| length(*s) > ENDLESS) => Role::Figure,
                _ => Role::Scenery,
            };
            actors.push(Actor { role, shapes });
        }
    }
    actors
}

/// From end to end; 0 of a circle.
pub fn length(shape: Shape) -> f32 {
    match shape {
        Shape::Line { from, to, .. } => (to[0] - from[0]).hypot(to[1] - from[1]),
        Shape::Circle { .. } => 0.0,
    }
}

fn is_finite(shape: Shape) -> bool {
    [0, 1].iter().all(|&axis| span(shape, axis).iter().all(|v| v.is_finite()))
}

/// Lowest and highest of a shape along an axis.
pub fn span(shape: Shape, axis: usize) -> [f32; 2] {
    match shape {
        Shape::Line { from, to, width } => {
            let (low, high) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
            [low - 0.5 * width, high + 0.5 * width]
        }
        Shape::Circle { centre, radius } => [centre[axis] - radius, centre[axis] + radius],
    }
}

/// The part of a line within a rectangle, by Liang & Barsky (1984).
fn cut(shape: Shape, [xs, ys]: [[f32; 2]; 2]) -> Option<Shape> {
    let Shape::Line { from, to, width } = shape else { return Some(shape) };
    // Double precision: a line of kilometres is cut to centimetres.
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    for (axis, [low, high]) in [xs, ys].into_iter().enumerate() {
        let (origin, delta) = (f64::from(from[axis]), f64::from(to[axis]) - f64::from(from[axis]));
        let (low, high) = (f64::from(low) - origin, f64::from(high) - origin);
        if delta == 0.0 {
            if low > 0.0 || high < 0.0 {
                return None;
            }
            continue;
        }
        let (a, b) = (low / delta, high / delta);
        start = start.max(a.min(b));
        end = end.min(a.max(b));
    }
    let at =
        |t: f64| [0, 1].map(|i| (f64::from(from[i]) + t * (f64::from(to[i]) - f64::from(from[i]))) as f32);
    (start < end).then(|| Shape::Line { from: at(start), to: at(end), width })
}

fn in_pixels(shape: Shape, scale: f32) -> Shape {
    let at = |[x, y]: [f32; 2]| [x * scale, -y * scale];
    match shape {
        // Thinner lines would fade away.
        Shape::Line { from, to, width } => {
            Shape::Line { from: at(from), to: at(to), width: (width * scale).max(1.5) }
        }
        Shape::Circle { centre, radius } => {
            Shape::Circle { centre: at(centre), radius: (radius * scale).max(1.5) }
        }
    }
}

/// The nearest of 1, 2, 5, 10, … (times a power of ten) that is not below `length`.
fn nice(length: f32) -> f32 {
    let power = 10f32.powi(length.log10().floor() as i32);
    let digit = [1.0, 2.0, 5.0].into_iter().find(|d| d * power >= length).unwrap_or(10.0);
    // Through its shortest decimal, so that 3 × 0.1 reads as it should.
    format!("{:.6}", digit * power).parse().unwrap_or(power)
}

fn grid(seen: [[f32; 2]; 2], square: f32, scale: f32) -> Vec<[[f32; 2]; 2]> {
    let [xs, ys] = seen.map(|side| side.map(|v| v * scale));
    let steps = |[low, high]: [f32; 2]| {
        ((low / square).ceil() as i32..=(high / square).floor() as i32)
            .map(move |i| i as f32 * square * scale)
    };
    let upright = steps(seen[0]).map(|x| [[x, -ys[0]], [x, -ys[1]]]);
    let level = steps(seen[1]).map(|y| [[xs[0], -y], [xs[1], -y]]);
    upright.chain(level).collect()
}

fn labels(film: &Recording) -> Vec<String> {
    let most = film.stills.iter().map(|s| s.task_return.abs()).fold(0.0, f64::max);
    let digits = if most < 10.0 { 2 } else { 1 };
    let costs = film.stills.iter().any(|s| s.cost != 0.0);
    film.stills
        .iter()
        .map(|still| {
            let time = if film.dt > 0.0 {
                format!("t {:.2} s", still.step as f32 * film.dt)
            } else {
                format!("step {}", still.step)
            };
            let cost = if costs { format!(" · cost {:.1}", still.cost) } else { String::new() };
            format!("{time} · return {:.digits$}{cost}", still.task_return)
        })
        .collect()
}
