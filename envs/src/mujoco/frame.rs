//! Pictures of a state.

use super::native::{GeomKind, Simulation};
use crate::env::{Frame, Shape};

/// The direction from which a state is drawn, always in world coordinates in m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    /// From the side: (x, z), with a line for the floor.
    Side,
    /// From above: (x, y).
    Top,
    /// Cabinet projection: (x + y/2 · cos 45°, z + y/2 · sin 45°), with a square of the floor around the body.
    Oblique,
}

/// Half the side of the floor that is drawn around the body, m.
const FLOOR: f64 = 2.0;
/// Thickness of the floor's lines, m.
const LINE: f32 = 0.01;

impl View {
    fn project(self, [x, y, z]: [f64; 3]) -> [f32; 2] {
        let aslant = 0.5 * std::f64::consts::FRAC_1_SQRT_2;
        let [across, up] = match self {
            Self::Side => [x, z],
            Self::Top => [x, y],
            Self::Oblique => [x + aslant * y, z + aslant * y],
        };
        [across as f32, up as f32]
    }

    /// The floor around `centre`.
    fn floor(self, [x, y, _]: [f64; 3]) -> Vec<Shape> {
        let at = |dx, dy| self.project([x + FLOOR * dx, y + FLOOR * dy, 0.0]);
        let line = |from, to| Shape::Line { from, to, width: LINE };
        match self {
            Self::Side => vec![line(at(-1.0, 0.0), at(1.0, 0.0))],
            Self::Top => vec![],
            Self::Oblique => {
                let corners = [at(-1.0, -1.0), at(1.0, -1.0), at(1.0, 1.0), at(-1.0, 1.0)];
                (0..4).map(|i| line(corners[i], corners[(i + 1) % 4])).collect()
            }
        }
    }
}

/// The state's geoms, except planes. Spheres are circles. Capsules, cylinders, boxes and ellipsoids are lines along
/// their long axis, or circles if that axis points at the viewer.
///
/// `target` is the centre and radius in m of a target that the task keeps outside the model. It replaces the model's
/// geom named "target".
pub(crate) fn draw(sim: &Simulation, view: View, target: Option<([f64; 3], f64)>) -> Frame {
    let model = sim.model();
    // The first body after the world.
    let body = std::array::from_fn(|axis| sim.xpos().get(3 + axis).copied().unwrap_or(0.0));
    let mut shapes = view.floor(body);
    if let Some((centre, radius)) = target {
        shapes.push(Shape::Circle { centre: view.project(centre), radius: radius as f32 });
    }
    for (i, geom) in model.geoms.iter().enumerate() {
        if target.is_some() && geom.name == "target" {
            continue;
        }
        let centre: [f64; 3] = std::array::from_fn(|axis| sim.geom_xpos()[3 * i + axis]);
        let along = |axis: usize, length: f64| {
            std::array::from_fn::<f64, 3, _>(|row| length * sim.geom_xmat()[9 * i + 3 * row + axis])
        };
        let [a, b, c] = geom.size;
        match geom.kind {
            GeomKind::Sphere => shapes.push(Shape::Circle { centre: view.project(centre), radius: a as f32 }),
            GeomKind::Rod => shapes.push(rod(view, centre, along(2, b), a)),
            GeomKind::Block => {
                // The axis that looks longest gives the line, the next longest its half thickness.
                let mut axes = [(0, a), (1, b), (2, c)].map(|(axis, length)| {
                    let [x, y] = view.project(along(axis, length));
                    (x.hypot(y), axis, length)
                });
                axes.sort_by(|p, q| q.0.total_cmp(&p.0));
                let [(_, axis, length), (thick, ..), _] = axes;
                shapes.push(rod(view, centre, along(axis, length), f64::from(thick)));
            }
            GeomKind::Other => {}
        }
    }
    Frame { shapes }
}

/// A line of this radius from `centre − half` to `centre + half`; a circle if its axis points at the viewer.
fn rod(view: View, centre: [f64; 3], half: [f64; 3], radius: f64) -> Shape {
    let end = |sign: f64| view.project(std::array::from_fn(|axis| centre[axis] + sign * half[axis]));
    let (from, to) = (end(-1.0), end(1.0));
    if f64::from((to[0] - from[0]).hypot(to[1] - from[1])) < 0.1 * radius {
        Shape::Circle { centre: view.project(centre), radius: radius as f32 }
    } else {
        Shape::Line { from, to, width: 2.0 * radius as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projections() {
        let at = [1.0, 2.0, 3.0];
        assert_eq!(View::Side.project(at), [1.0, 3.0]);
        assert_eq!(View::Top.project(at), [1.0, 2.0]);
        // 2/2 · cos 45° = 0.7071
        let [x, y] = View::Oblique.project(at);
        assert!((x - 1.7071).abs() < 1e-4 && (y - 3.7071).abs() < 1e-4);
    }

    #[test]
    fn a_rod_seen_end_on_is_a_circle() {
        let seen = |view| rod(view, [0.0; 3], [0.0, 0.5, 0.0], 0.1);
        assert_eq!(seen(View::Side), Shape::Circle { centre: [0.0, 0.0], radius: 0.1 });
        assert_eq!(seen(View::Top), Shape::Line { from: [0.0, -0.5], to: [0.0, 0.5], width: 0.2 });
    }
}
