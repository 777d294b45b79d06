//! Draws a frame in pixels.
//!
//! The only shape is a line with round ends; a circle is such a line of length 0. The distance from a pixel to the line
//! gives the share of the pixel that it covers, and so smooth edges.

use ab_glyph::{Font, FontRef, ScaleFont, point};
use spo_envs::Shape;

use super::scene::{Role, Scene};

/// Colours, the same in every format: mid-tones that are visible on white and on black.
pub mod paint {
    /// The background.
    pub const GROUND: [u8; 3] = [255, 255, 255];
    /// Lines of the grid.
    pub const GRID: [u8; 3] = [233, 235, 238];
    /// Letters.
    pub const TEXT: [u8; 3] = [110, 118, 129];
    /// Floors, walls, rails.
    pub const SCENERY: [u8; 3] = [139, 148, 158];
    /// Goals, hazards, pivots.
    pub const MARK: [u8; 3] = [221, 147, 40];
    /// The inside of a mark.
    pub const MARK_INSIDE: [u8; 3] = [241, 212, 169];
    /// Everything that moves.
    pub const FIGURE: [u8; 3] = [64, 132, 214];
    /// Opacity of the figure: limbs that cross look darker there, so that they can be told apart.
    pub const FIGURE_ALPHA: f32 = 0.8;
}

/// Number of levels of a pixel's coverage: few, so that an animation has few colours, but enough for smooth edges.
const SHADES: f32 = 8.0;
/// Width of a mark's outline in pixels.
const OUTLINE: f32 = 1.5;

/// A picture, row by row.
pub struct Canvas {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Red, green and blue of each pixel.
    pub pixels: Vec<[u8; 3]>,
}

/// Draws frame `index`.
pub fn draw(scene: &Scene, index: usize) -> Canvas {
    let [width, height] = scene.size.map(|v| v as usize);
    let mut canvas = Canvas { width, height, pixels: vec![paint::GROUND; width * height] };
    let offset = scene.offset(index);
    let place = |[x, y]: [f32; 2]| [x + offset[0], y + offset[1]];
    for [from, to] in &scene.grid {
        canvas.capsule([place(*from), place(*to)], 0.5, paint::GRID, 1.0);
    }
    for actor in &scene.actors {
        let (ends, radius) = match actor.at(index) {
            None => continue,
            Some(Shape::Line { from, to, width }) => ([place(from), place(to)], 0.5 * width),
            Some(Shape::Circle { centre, radius }) => ([place(centre); 2], radius),
        };
        match actor.role {
            Role::Scenery => canvas.capsule(ends, radius, paint::SCENERY, 1.0),
            Role::Figure => canvas.capsule(ends, radius, paint::FIGURE, paint::FIGURE_ALPHA),
            Role::Mark => {
                canvas.capsule(ends, radius, paint::MARK_INSIDE, 1.0);
                canvas.ring(ends[0], radius, paint::MARK);
            }
        }
    }
    let letters = scene.letters();
    let (left, first, second) = (0.6 * letters, 1.3 * letters, 2.6 * letters);
    canvas.text(&scene.title, [left, first], Align::Left, letters, dejavu::sans::bold());
    canvas.text(&scene.scale, [width as f32 - left, first], Align::Right, letters, dejavu::sans::regular());
    canvas.text(&scene.labels[index], [left, second], Align::Left, letters, dejavu::sans::regular());
    canvas
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

impl Canvas {
    /// All points within `radius` of the line between two ends.
    fn capsule(&mut self, ends: [[f32; 2]; 2], radius: f32, colour: [u8; 3], alpha: f32) {
        self.fill(ends, radius, colour, |distance| alpha * (radius + 0.5 - distance).clamp(0.0, 1.0));
    }

    /// The outline of a circle.
    fn ring(&mut self, centre: [f32; 2], radius: f32, colour: [u8; 3]) {
        let half = 0.5 * OUTLINE;
        self.fill([centre; 2], radius + half, colour, |distance| half + 0.5 - (distance - radius).abs());
    }

    /// Colours pixels near a line. `cover` converts the distance to the line into the covered share of the pixel.
    fn fill(&mut self, [a, b]: [[f32; 2]; 2], reach: f32, colour: [u8; 3], cover: impl Fn(f32) -> f32) {
        // The range of pixels that can be covered; a cast from float to usize clips at 0.
        let cells = |axis: usize, end: usize| {
            let (low, high) = (a[axis].min(b[axis]) - reach - 1.0, a[axis].max(b[axis]) + reach + 1.0);
            low as usize..((high + 1.0) as usize).min(end)
        };
        let along = [b[0] - a[0], b[1] - a[1]];
        let square = along[0] * along[0] + along[1] * along[1];
        for y in cells(1, self.height) {
            for x in cells(0, self.width) {
                // Use the distance from the pixel's centre.
                let [px, py] = [x as f32 + 0.5 - a[0], y as f32 + 0.5 - a[1]];
                let t = if square > 0.0 {
                    ((px * along[0] + py * along[1]) / square).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (px - t * along[0]).hypot(py - t * along[1]);
                self.blend(x, y, colour, cover(distance));
            }
        }
    }

    fn text(&mut self, text: &str, [mut x, y]: [f32; 2], align: Align, size: f32, font: &[u8]) {
        // The fonts are part of the program.
        let Ok(font) = FontRef::try_from_slice(font) else { return };
        let font = font.as_scaled(ab_glyph::PxScale::from(1.16 * size));
        if align == Align::Right {
            x -= text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum::<f32>();
        }
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            let glyph = id.with_scale_and_position(font.scale(), point(x, y));
            x += font.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|i, j, cover| {
                let (px, py) = (corner.x + i as f32, corner.y + j as f32);
                if px >= 0.0 && py >= 0.0 && (px as usize) < self.width && (py as usize) < self.height {
                    self.blend(px as usize, py as usize, paint::TEXT, cover);
                }
            });
        }
    }

    fn blend(&mut self, x: usize, y: usize, colour: [u8; 3], cover: f32) {
        let share = (cover.clamp(0.0, 1.0) * SHADES).round() / SHADES;
        if share > 0.0 {
            let pixel = &mut self.pixels[y * self.width + x];
            for (old, new) in pixel.iter_mut().zip(colour) {
                *old = (f32::from(*old) + share * (f32::from(new) - f32::from(*old))).round() as u8;
            }
        }
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        crate::evaluate::pixels::png(self.width as u32, self.height as u32, self.pixels.as_flattened())
    }
}
