//! The camera's window: it shows the whole motion, or follows a figure that runs far.

use super::scene::{Actor, Role, length, span};

/// The camera follows a figure that travels more than this many times its own size.
const FAR: f32 = 5.0;
/// Size of the window around a followed figure, and smallest size of any other window, as multiples of the figure's size.
const NEAR: [f32; 2] = [2.5, 2.0];
/// A line of the scenery that is longer than this many times the figure, or than [`ENDLESS`], is ground: it is cut off at
/// the window and does not affect its size.
const LONG: f32 = 10.0;
/// Length in m that no line of a figure reaches.
pub const ENDLESS: f32 = 100.0;
/// Empty margin around the drawing, as a share of the window.
const MARGIN: f32 = 0.06;
/// The camera's path is smoothed over this many seconds in both directions, so that it does not shake with every stride.
const SMOOTH: f32 = 0.5;
/// Smallest and largest ratio of the window's width to its height.
const ASPECT: [f32; 2] = [1.0, 2.4];

/// Everything that moves, as one body.
pub struct Figure {
    /// The longer side of its bounding box, at its largest.
    size: f32,
    /// The centre of its bounding box in each frame.
    centres: Vec<[f32; 2]>,
}

impl Figure {
    /// The figure of all moving actors, or of all actors if none moves.
    pub fn new(actors: &[Actor], frames: usize) -> Self {
        let moves = actors.iter().any(|a| a.role == Role::Figure);
        let mut size: f32 = 0.0;
        let mut centres = Vec::with_capacity(frames);
        for frame in 0..frames {
            let parts = actors.iter().filter(|a| !moves || a.role == Role::Figure);
            let shapes: Vec<_> = parts.filter_map(|a| a.at(frame)).collect();
            let bounds = [0, 1].map(|axis| range(shapes.iter().flat_map(|s| span(*s, axis))));
            if shapes.is_empty() {
                // The camera does not move.
                centres.push(centres.last().copied().unwrap_or_default());
                continue;
            }
            size = bounds.iter().fold(size, |size, [low, high]| size.max(high - low));
            centres.push(bounds.map(|[low, high]| 0.5 * (low + high)));
        }
        Self { size: size.max(1e-3), centres }
    }

    /// Whether an actor is ground: so long that the figure would be too small to see in a picture of the whole.
    pub fn has_ground(&self, actor: &Actor) -> bool {
        actor.role == Role::Scenery && actor.shapes.iter().flatten().all(|s| length(*s) > self.long())
    }

    fn long(&self) -> f32 {
        // A figure as long as that stays in the picture.
        (LONG * self.size).min(ENDLESS.max(2.0 * self.size))
    }

    fn path(&self, axis: usize) -> Vec<f32> {
        self.centres.iter().map(|c| c[axis]).collect()
    }
}

/// A window, in metres.
pub struct View {
    /// Width and height.
    pub extent: [f32; 2],
    /// Its centre: one per frame, or a single one for all frames.
    pub centres: Vec<[f32; 2]>,
}

impl View {
    /// Along each axis the window shows the whole motion. If the figure travels far and there is no arena, it follows the
    /// figure. `lengths` are the numbers of frames of consecutive episodes; the camera jumps between them.
    pub fn new(actors: &[Actor], figure: &Figure, period: f32, lengths: &[usize]) -> Self {
        let arena = actors.iter().any(|a| a.role != Role::Figure && !figure.has_ground(a));
        let follows = [0, 1].map(|axis| {
            let [low, high] = range(figure.path(axis));
            !arena && high - low > FAR * figure.size
        });
        let followed = follows.contains(&true);
        let least = if followed { 0.0 } else { NEAR[1] * figure.size };
        let wholes = [0, 1].map(|axis| whole(actors, axis, figure));
        let extent = [0, 1].map(|axis| {
            let [low, high] = wholes[axis];
            let extent = if follows[axis] { NEAR[0] * figure.size } else { (high - low).max(least) };
            extent * (1.0 + 2.0 * MARGIN)
        });

        let frames = if followed { figure.centres.len() } else { 1 };
        let paths = [0, 1].map(|axis| {
            let [low, high] = wholes[axis];
            match follows[axis] {
                true => {
                    let path = figure.path(axis);
                    let mut rest = &path[..];
                    let path_of_episode = |&frames: &usize| {
                        let (own, tail) = rest.split_at(frames);
                        rest = tail;
                        smooth(own, (SMOOTH / period) as usize)
                    };
                    lengths.iter().flat_map(path_of_episode).collect()
                }
                false => vec![0.5 * (low + high); frames],
            }
        });
        let centres = (0..frames).map(|i| [paths[0][i], paths[1][i]]).collect();
        Self { extent: shaped(extent), centres }
    }

    /// Everything that it shows during the recording: lowest and highest x, then lowest and highest y.
    pub fn seen(&self) -> [[f32; 2]; 2] {
        [0, 1].map(|axis| {
            let [low, high] = range(self.centres.iter().map(|c| c[axis]));
            [low - 0.5 * self.extent[axis], high + 0.5 * self.extent[axis]]
        })
    }
}

/// Lowest and highest coordinate of everything along an axis; ground counts only if it does not run along that axis.
fn whole(actors: &[Actor], axis: usize, figure: &Figure) -> [f32; 2] {
    let spans = actors.iter().flat_map(|a| a.shapes.iter().flatten()).map(|s| span(*s, axis));
    match range(spans.filter(|[low, high]| high - low < figure.long()).flatten()) {
        [low, high] if low <= high => [low, high],
        // There is nothing to draw.
        _ => [0.0; 2],
    }
}

fn range(values: impl IntoIterator<Item = f32>) -> [f32; 2] {
    values.into_iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}

/// The moving average over `half` values in both directions; near the ends over fewer, so that it stays centred.
fn smooth(path: &[f32], half: usize) -> Vec<f32> {
    (0..path.len())
        .map(|i| {
            let half = half.min(i).min(path.len() - 1 - i);
            let near = &path[i - half..=i + half];
            near.iter().sum::<f32>() / near.len() as f32
        })
        .collect()
}

/// Enlarges the window so that it is neither too tall nor too flat.
fn shaped([width, height]: [f32; 2]) -> [f32; 2] {
    let [least, most] = ASPECT;
    [width.max(least * height), height.max(width / most)]
}
