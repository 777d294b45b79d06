//! An animated GIF with one palette. Each frame contains only what changed.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::raster::{self, Canvas};
use super::scene::Scene;

/// The palette index for an unchanged pixel.
const UNCHANGED: u8 = 255;
/// Hundredths of a second that the last frame stays before the animation repeats.
const HOLD: u16 = 100;
/// Shortest delay in hundredths of a second: browsers slow down anything faster.
const LEAST_DELAY: u16 = 2;

/// Draws the scene as the bytes of a GIF file.
pub fn draw(scene: &Scene) -> Result<Vec<u8>, String> {
    let mut palette = Palette::new(scene);
    let [width, height] = scene.size.map(|v| v as u16);
    let mut encoder = Encoder::new(Vec::new(), width, height, &palette.bytes()).map_err(|e| e.to_string())?;
    encoder.set_repeat(Repeat::Infinite).map_err(|e| e.to_string())?;
    let mut before: Vec<u8> = Vec::new();
    // Round the time and not each delay, so that errors do not add up.
    let clock = |index: usize| (index as f32 * scene.period * 100.0).round() as u32;
    for index in 0..scene.frames() {
        let now = palette.indices(&raster::draw(scene, index));
        let mut frame = changed(&before, &now, width as usize);
        let delay = u16::try_from(clock(index + 1) - clock(index)).unwrap_or(u16::MAX);
        frame.delay = delay.max(LEAST_DELAY) + if index + 1 == scene.frames() { HOLD } else { 0 };
        encoder.write_frame(&frame).map_err(|e| e.to_string())?;
        before = now;
    }
    encoder.into_inner().map_err(|e| e.to_string())
}

/// The smallest rectangle that contains all changes from one frame to the next; for the first frame the whole picture.
fn changed(before: &[u8], now: &[u8], width: usize) -> Frame<'static> {
    let differs = |i: &usize| before.is_empty() || before[*i] != now[*i];
    let mut bounds = [usize::MAX, usize::MAX, 0, 0];
    for i in (0..now.len()).filter(differs) {
        let (x, y) = (i % width, i / width);
        bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x + 1), bounds[3].max(y + 1)];
    }
    // A frame without changes still needs one unchanged pixel, to keep its delay.
    let [left, top, right, bottom] = if bounds[2] == 0 { [0, 0, 1, 1] } else { bounds };
    let buffer: Vec<u8> = (top..bottom)
        .flat_map(|y| (left..right).map(move |x| y * width + x))
        .map(|i| if differs(&i) { now[i] } else { UNCHANGED })
        .collect();
    Frame {
        left: left as u16,
        top: top as u16,
        width: (right - left) as u16,
        height: (bottom - top) as u16,
        dispose: DisposalMethod::Keep,
        transparent: Some(UNCHANGED),
        buffer: Cow::Owned(buffer),
        ..Frame::default()
    }
}

/// The animation's most frequent colours. These are all colours unless many shapes overlap.
struct Palette {
    colours: Vec<[u8; 3]>,
    index: HashMap<[u8; 3], u8>,
}

impl Palette {
    fn new(scene: &Scene) -> Self {
        let mut counts: HashMap<[u8; 3], u64> = HashMap::new();
        for index in 0..scene.frames() {
            // Count runs of equal pixels, because most pixels equal their neighbour.
            for run in raster::draw(scene, index).pixels.chunk_by(|a, b| a == b) {
                *counts.entry(run[0]).or_default() += run.len() as u64;
            }
        }
        let mut colours: Vec<[u8; 3]> = counts.keys().copied().collect();
        colours.sort_by_key(|colour| (Reverse(counts[colour]), *colour));
        colours.truncate(usize::from(UNCHANGED));
        let index = colours.iter().enumerate().map(|(i, colour)| (*colour, i as u8)).collect();
        Self { colours, index }
    }

    /// All 256 entries, so that the index for unchanged pixels exists.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.colours.as_flattened().to_vec();
        bytes.resize(256 * 3, 0);
        bytes
    }

    fn indices(&mut self, canvas: &Canvas) -> Vec<u8> {
        let colours = &self.colours;
        let nearest = |pixel: &[u8; 3]| {
            let distance =
                |c: &[u8; 3]| c.iter().zip(pixel).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum::<u32>();
            (0..colours.len()).min_by_key(|&i| distance(&colours[i])).unwrap_or(0) as u8
        };
        let mut indices = Vec::with_capacity(canvas.pixels.len());
        for run in canvas.pixels.chunk_by(|a, b| a == b) {
            let index = *self.index.entry(run[0]).or_insert_with(|| nearest(&run[0]));
            indices.resize(indices.len() + run.len(), index);
        }
        indices
    }
}
