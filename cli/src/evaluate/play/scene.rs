//! The layout of an episode in a picture: fixed and moving shapes, their positions, the grid, the text.
//!
//! A [`Frame`](spo_envs::Frame) has no colours. Shapes that never change during the episode are scenery, the others are
//! the figure. The colours depend on that.

use spo_envs::Shape;

use super::camera::{ENDLESS, Figure, View};
use super::{RecordedFrame, Recording};

/// The role of a shape, which depends on its motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A line that does not move: floors, walls, rails.
    Scenery,
    /// A circle that does not move: goals, hazards, pivots.
    Mark,
    /// Everything that moves.
    Figure,
}

/// A shape during the whole recording, in pixels: world coordinates times the scale, y downwards.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Its role.
    pub role: Role,
    /// The shape in each frame, or a single one if it does not move; `None` where it is absent.
    pub shapes: Vec<Option<Shape>>,
}

impl Actor {
    /// The shape in frame `index`.
    pub fn at(&self, index: usize) -> Option<Shape> {
        self.shapes[if self.shapes.len() == 1 { 0 } else { index }]
    }
}

/// An episode's layout in a picture.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The task.
    pub title: String,
    /// The side of a grid square, as text.
    pub scale: String,
    /// Time, return and cost, one line per frame.
    pub labels: Vec<String>,
    /// Seconds per frame.
    pub period: f32,
    /// Width and height of the picture in pixels, including the header.
    pub size: [u32; 2],
    /// Height of the header above the window, in pixels.
    pub header: f32,
    /// The shapes, back to front.
    pub actors: Vec<Actor>,
    /// Side of the grid squares in pixels.
    pub square: f32,
    /// Both ends of each grid line in pixels, for everything that the camera shows.
    pub grid: Vec<[[f32; 2]; 2]>,
    /// Offset from world pixels to picture pixels: one per frame, or a single one for all frames.
    pub camera: Vec<[f32; 2]>,
}

impl Scene {
    /// Lays out a recording in a picture of `width` pixels.
    pub fn new(recording: &Recording, width: u32) -> Self {
        Self::from_episodes(recording, &[recording.frames.len()], width)
    }

    /// Lays out several recordings of a task with a common scale. If the camera does not move, all show the same region.
    /// Empty if there are no recordings.
    pub fn side_by_side(recordings: &[Recording], width: u32) -> Vec<Self> {
        let Some(first) = recordings.first() else { return Vec::new() };
        let frames = recordings.iter().flat_map(|recording| recording.frames.iter().cloned()).collect();
        let lengths: Vec<usize> = recordings.iter().map(|recording| recording.frames.len()).collect();
        let mut rest = Self::from_episodes(&Recording { frames, ..first.clone() }, &lengths, width);
        let own = lengths.iter().map(|&frames| rest.split_off_first(frames));
        own.collect()
    }

    /// Removes the first `frames` frames and returns them.
    fn split_off_first(&mut self, frames: usize) -> Self {
        fn first<T: Clone>(of: &mut Vec<T>, frames: usize) -> Vec<T> {
            // A single value is valid for all frames.
            if of.len() == 1 { of.clone() } else { of.drain(..frames).collect() }
        }
        let actors = self.actors.iter_mut();
        let actors = actors.map(|a| Actor { role: a.role, shapes: first(&mut a.shapes, frames) }).collect();
        Self {
            labels: self.labels.drain(..frames).collect(),
            camera: first(&mut self.camera, frames),
            actors,
            title: self.title.clone(),
            scale: self.scale.clone(),
            grid: self.grid.clone(),
            ..*self
        }
    }

    /// Lays out a recording of consecutive episodes with these numbers of frames.
    fn from_episodes(recording: &Recording, lengths: &[usize], width: u32) -> Self {
        let mut actors = actors(&recording.frames);
        let figure = Figure::new(&actors, recording.frames.len());
        let view = View::new(&actors, &figure, recording.period(), lengths);
        let seen = view.seen();
        let scale = width as f32 / view.extent[0];
        let header = header(width);
        for actor in &mut actors {
            if figure.has_ground(actor) {
                actor.shapes.iter_mut().for_each(|shape| *shape = shape.and_then(|s| cut(s, seen)));
            }
            actor.shapes.iter_mut().flatten().for_each(|shape| *shape = in_pixels(*shape, scale));
        }
        actors.retain(|a| a.shapes.iter().any(Option::is_some));

        // Whole pixels, so that grid lines look the same at every camera position.
        let camera = view.centres.iter().map(|[x, y]| {
            let [left, top] = [0.5 * view.extent[0] - x, 0.5 * view.extent[1] + y];
            [(left * scale).round(), (header + top * scale).round()]
        });
        let square = nice(view.extent[0] / 8.0);
        Self {
            title: recording.env.clone(),
            scale: format!("grid {square} m"),
            labels: labels(recording),
            period: recording.period(),
            size: [width, (header + view.extent[1] * scale).round() as u32],
            header,
            camera: camera.collect(),
            square: square * scale,
            grid: grid(seen, square, scale),
            actors,
        }
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.labels.len()
    }

    /// Offset from world pixels to picture pixels in frame `index`.
    pub fn offset(&self, index: usize) -> [f32; 2] {
        self.camera[if self.camera.len() == 1 { 0 } else { index }]
    }

    /// Text height in pixels.
    pub fn letters(&self) -> f32 {
        self.header / 3.2
    }
}

/// Height of two lines of text, proportional to the picture but large enough to read.
fn header(width: u32) -> f32 {
    3.2 * (width as f32 / 34.0).clamp(10.0, 22.0)
}

/// The actors: shapes with the same index in all frames. A line and a circle with the same index are two actors. An actor
/// that does not move has a single shape.
fn actors(frames: &[RecordedFrame]) -> Vec<Actor> {
    let places = frames.iter().map(|s| s.frame.shapes.len()).max().unwrap_or(0);
    let mut actors = Vec::new();
    for place in 0..places {
        for line in [true, false] {
            let pick = |recorded: &RecordedFrame| {
                let shape = *recorded.frame.shapes.get(place)?;
                (matches!(shape, Shape::Line { .. }) == line && is_finite(shape)).then_some(shape)
            };
            let mut shapes: Vec<Option<Shape>> = frames.iter().map(pick).collect();
            if shapes.iter().all(Option::is_none) {
                continue;
            }
            let fixed = shapes.iter().all(|s| *s == shapes[0]);
            if fixed {
                shapes.truncate(1);
            }
            let role = match (fixed, line) {
                (true, false) => Role::Mark,
                (false, _) if !shapes.iter().flatten().all(|s| length(*s) > ENDLESS) => Role::Figure,
                _ => Role::Scenery,
            };
            actors.push(Actor { role, shapes });
        }
    }
    actors
}

/// Length of a line; 0 for a circle.
pub fn length(shape: Shape) -> f32 {
    match shape {
        Shape::Line { from, to, .. } => (to[0] - from[0]).hypot(to[1] - from[1]),
        Shape::Circle { .. } => 0.0,
    }
}

fn is_finite(shape: Shape) -> bool {
    [0, 1].iter().all(|&axis| span(shape, axis).iter().all(|v| v.is_finite()))
}

/// Lowest and highest coordinate of a shape along an axis.
pub fn span(shape: Shape, axis: usize) -> [f32; 2] {
    match shape {
        Shape::Line { from, to, width } => {
            let (low, high) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
            [low - 0.5 * width, high + 0.5 * width]
        }
        Shape::Circle { centre, radius } => [centre[axis] - radius, centre[axis] + radius],
    }
}

/// The part of a line inside a rectangle (Liang & Barsky 1984).
fn cut(shape: Shape, [xs, ys]: [[f32; 2]; 2]) -> Option<Shape> {
    let Shape::Line { from, to, width } = shape else { return Some(shape) };
    // Double precision, because a line of kilometres is cut to centimetres.
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
        // Thinner lines would be too pale.
        Shape::Line { from, to, width } => {
            Shape::Line { from: at(from), to: at(to), width: (width * scale).max(1.5) }
        }
        Shape::Circle { centre, radius } => {
            Shape::Circle { centre: at(centre), radius: (radius * scale).max(1.5) }
        }
    }
}

/// The smallest of 1, 2, 5, 10, … (times a power of ten) that is not below `length`.
fn nice(length: f32) -> f32 {
    let power = 10f32.powi(length.log10().floor() as i32);
    let digit = [1.0, 2.0, 5.0].into_iter().find(|d| d * power >= length).unwrap_or(10.0);
    // Convert through the shortest decimal, so that 3 × 0.1 is shown as 0.3.
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

fn labels(recording: &Recording) -> Vec<String> {
    let most = recording.frames.iter().map(|s| s.task_return.abs()).fold(0.0, f64::max);
    let digits = if most < 10.0 { 2 } else { 1 };
    let costs = recording.frames.iter().any(|s| s.cost != 0.0);
    recording
        .frames
        .iter()
        .map(|frame| {
            let time = if recording.dt > 0.0 {
                format!("t {:.2} s", frame.step as f32 * recording.dt)
            } else {
                format!("step {}", frame.step)
            };
            let cost = if costs { format!(" · cost {:.1}", frame.cost) } else { String::new() };
            format!("{time} · return {:.digits$}{cost}", frame.task_return)
        })
        .collect()
}
