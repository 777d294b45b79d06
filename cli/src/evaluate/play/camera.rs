//! The window of a film: over the whole motion, or following a figure that runs far.

use super::scene::{Actor, Role, length, span};

/// A figure that travels more than so many times its own size is followed by the camera.
const FAR: f32 = 5.0;
/// The window of a followed figure, and the least one of any other, in sizes of the figure.
const NEAR: [f32; 2] = [2.5, 2.0];
/// A line of the scenery longer than so many times the figure, or than [`ENDLESS`], is ground: it is cut at the
/// window and does not decide it.
const LONG: f32 = 10.0;
/// Metres; no figure has a line as long, moving or not.
pub const ENDLESS: f32 = 100.0;
/// Room around what is drawn, as a share of the window.
const MARGIN: f32 = 0.06;
/// The camera's path is smoothed over so many seconds each way, so that it does not nod with every stride.
const SMOOTH: f32 = 0.5;
/// Width over height of the window, at least and at most.
const ASPECT: [f32; 2] = [1.0, 2.4];

/// What moves, as a whole.
pub struct Figure {
    /// The longer side of its bounding box, at its largest.
    size: f32,
    /// The centre of its bounding box, one a still.
    centres: Vec<[f32; 2]>,
}

impl Figure {
    /// Of what moves; where nothing does, of what there is.
    pub fn of(actors: &[Actor], stills: usize) -> Self {
        let moves = actors.iter().any(|a| a.role == Role::Figure);
        let mut size: f32 = 0.0;
        let mut centres = Vec::with_capacity(stills);
        for still in 0..stills {
            let parts = actors.iter().filter(|a| !moves || a.role == Role::Figure);
            let shapes: Vec<_> = parts.filter_map(|a| a.at(still)).collect();
            let bounds = [0, 1].map(|axis| range(shapes.iter().flat_map(|s| span(*s, axis))));
            if shapes.is_empty() {
                // The camera stays where it was.
                centres.push(centres.last().copied().unwrap_or_default());
                continue;
            }
            size = bounds.iter().fold(size, |size, [low, high]| size.max(high - low));
            centres.push(bounds.map(|[low, high]| 0.5 * (low + high)));
        }
        Self { size: size.max(1e-3), centres }
    }

    /// Whether an actor is ground: so long that a picture of all of it would not show the figure.
    pub fn stands_on(&self, actor: &Actor) -> bool {
        actor.role == Role::Scenery && actor.shapes.iter().flatten().all(|s| length(*s) > self.long())
    }

    fn long(&self) -> f32 {
        // A figure that is itself as large stays in the picture.
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
    /// Its centre, one a still or one for all.
    pub centres: Vec<[f32; 2]>,
}

impl View {
    /// Along each axis the whole motion, or the figure where it travels far and no arena holds it. `takes` are the
    /// lengths in stills of the episodes that are seen, one after another: the camera jumps between them.
    pub fn of(actors: &[Actor], figure: &Figure, period: f32, takes: &[usize]) -> Self {
        let arena = actors.iter().any(|a| a.role != Role::Figure && !figure.stands_on(a));
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

        let stills = if followed { figure.centres.len() } else { 1 };
        let paths = [0, 1].map(|axis| {
            let [low, high] = wholes[axis];
            match follows[axis] {
                true => {
                    let path = figure.path(axis);
                    let mut rest = &path[..];
                    let take = |&stills: &usize| {
                        let (own, tail) = rest.split_at(stills);
                        rest = tail;
                        smooth(own, (SMOOTH / period) as usize)
                    };
                    takes.iter().flat_map(take).collect()
                }
                false => vec![0.5 * (low + high); stills],
            }
        });
        let centres = (0..stills).map(|i| [paths[0][i], paths[1][i]]).collect();
        Self { extent: shaped(extent), centres }
    }

    /// All that it ever shows: lowest and highest along x and y.
    pub fn seen(&self) -> [[f32; 2]; 2] {
        [0, 1].map(|axis| {
            let [low, high] = range(self.centres.iter().map(|c| c[axis]));
            [low - 0.5 * self.extent[axis], high + 0.5 * self.extent[axis]]
        })
    }
}

/// Lowest and highest of everything along an axis; of ground only where it runs across that axis.
fn whole(actors: &[Actor], axis: usize, figure: &Figure) -> [f32; 2] {
    let spans = actors.iter().flat_map(|a| a.shapes.iter().flatten()).map(|s| span(*s, axis));
    match range(spans.filter(|[low, high]| high - low < figure.long()).flatten()) {
        [low, high] if low <= high => [low, high],
        // Nothing that could be drawn.
        _ => [0.0; 2],
    }
}

fn range(values: impl IntoIterator<Item = f32>) -> [f32; 2] {
    values.into_iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}

/// The mean over `half` values each way, over fewer near the ends so that it stays centred.
fn smooth(path: &[f32], half: usize) -> Vec<f32> {
    (0..path.len())
        .map(|i| {
            let half = half.min(i).min(path.len() - 1 - i);
            let near = &path[i - half..=i + half];
            near.iter().sum::<f32>() / near.len() as f32
        })
        .collect()
}

/// The window enlarged to one that is neither too tall nor too flat.
fn shaped([width, height]: [f32; 2]) -> [f32; 2] {
    let [least, most] = ASPECT;
    [width.max(least * height), height.max(width / most)]
}
