//! A picture of several panels, as SVG or PNG.

use std::path::Path;
use std::sync::Once;

use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, VPos};

use super::PlotError;
use super::dots::{self, Dots};
use super::palette::TEXT;
use super::panel::{self, Area, Drawn, LABEL, Panel, style};

/// The content of a place on a sheet.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Panel(Panel),
    Dots(Dots),
}

/// Rows of panels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet {
    /// The title above all panels; empty for none.
    pub heading: String,
    /// From the top, each from the left.
    pub rows: Vec<Vec<Content>>,
}

// Pixels of a panel: one that stands alone in its row, or one of several.
const ALONE: (u32, u32) = (760, 380);
const BESIDE: (u32, u32) = (560, 300);
/// Of the heading.
const HEADING: u32 = 30;

impl Sheet {
    /// The panels in rows of two.
    pub fn in_pairs(panels: Vec<Content>) -> Self {
        let rows = panels.chunks(2).map(<[Content]>::to_vec).collect();
        Self { heading: String::new(), rows }
    }

    fn columns(&self) -> u32 {
        self.rows.iter().map(Vec::len).max().unwrap_or(1).max(1) as u32
    }

    fn panel(&self) -> (u32, u32) {
        if self.columns() == 1 { ALONE } else { BESIDE }
    }

    fn height(&self, row: &[Content]) -> u32 {
        let height = |content: &Content| match content {
            Content::Panel(_) => self.panel().1,
            Content::Dots(dots) => dots.height(),
        };
        row.iter().map(height).max().unwrap_or(0)
    }

    fn heading_height(&self) -> u32 {
        if self.heading.is_empty() { 0 } else { HEADING }
    }

    fn size(&self) -> (u32, u32) {
        let rows: u32 = self.rows.iter().map(|row| self.height(row)).sum();
        (self.columns() * self.panel().0, self.heading_height() + rows.max(1))
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Drawn<B> {
        area.fill(&WHITE)?;
        let heading = style(LABEL, TEXT, (HPos::Left, VPos::Top));
        area.draw(&Text::new(self.heading.clone(), (8, 10), heading))?;
        let all = || self.rows.iter().flatten();
        let names = all().filter_map(|c| if let Content::Panel(panel) = c { Some(panel) } else { None });
        let beside = panel::room_for(names.flat_map(|p| &p.series).map(|s| s.name.as_str()));
        let left =
            all().map(|c| if let Content::Dots(dots) = c { dots.names() } else { 0 }).max().unwrap_or(0);
        let (_, mut rest) = area.split_vertically(self.heading_height());
        for row in &self.rows {
            let (own, below) = rest.split_vertically(self.height(row));
            for (content, place) in row.iter().zip(own.split_evenly((1, self.columns() as usize))) {
                match content {
                    Content::Panel(panel) => panel::draw(&place, panel, beside)?,
                    Content::Dots(dots) => dots::draw(&place, dots, left)?,
                }
            }
            rest = below;
        }
        area.present()
    }

    /// The picture as SVG.
    pub fn svg(&self) -> Result<String, String> {
        register_font();
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, self.size()).into_drawing_area();
        self.draw(&area).map_err(|e| e.to_string())?;
        drop(area);
        Ok(text)
    }

    /// The picture as PNG.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        register_font();
        let (width, height) = self.size();
        let mut pixels = vec![0; (width * height) as usize * 3];
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        self.draw(&area).map_err(|e| e.to_string())?;
        drop(area);
        crate::evaluate::pixels::png(width, height, &pixels)
    }

    /// Writes the picture, SVG or PNG by the file's ending.
    ///
    /// # Errors
    /// [`PlotError::Ending`], [`PlotError::Write`].
    pub fn write(&self, out: &Path) -> Result<(), PlotError> {
        let picture = match out.extension().and_then(|e| e.to_str()) {
            Some("svg") => self.svg().map(String::into_bytes),
            Some("png") => self.png(),
            _ => return Err(PlotError::Ending(out.into())),
        };
        let written = picture.and_then(|bytes| std::fs::write(out, bytes).map_err(|e| e.to_string()));
        written.map_err(|why| PlotError::Write { path: out.into(), why })
    }
}

/// Registers the font of all pictures.
pub(crate) fn register_font() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // This fails only for an invalid font, and this font is built in.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
}
