//! Access to parts of a state by name.

use super::native::Simulation;

/// The index of a name that the embedded model has.
fn index_of(mut names: impl Iterator<Item = impl AsRef<str>>, name: &str) -> usize {
    names.position(|n| n.as_ref() == name).expect("the embedded model has this name")
}

/// The i-th triple of an array.
fn row(of: &[f64], i: usize) -> [f64; 3] {
    std::array::from_fn(|axis| of[3 * i + axis])
}

impl Simulation {
    /// Position of the body `name`, m.
    pub fn body(&self, name: &str) -> [f64; 3] {
        row(self.xpos(), index_of(self.model().bodies.iter(), name))
    }

    /// Orientation of the body `name`, `[3 · row + column]`; the columns are its axes.
    pub fn body_axes(&self, name: &str) -> [f64; 9] {
        let at = 9 * index_of(self.model().bodies.iter(), name);
        std::array::from_fn(|i| self.xmat()[at + i])
    }

    /// Centre of mass of the body `name`, m.
    pub fn centre(&self, name: &str) -> [f64; 3] {
        row(self.xipos(), index_of(self.model().bodies.iter(), name))
    }

    /// Position of the geom `name`, m.
    pub fn geom(&self, name: &str) -> [f64; 3] {
        row(self.geom_xpos(), index_of(self.model().geoms.iter().map(|g| &g.name), name))
    }

    /// The first size of the geom `name`, m.
    pub fn geom_radius(&self, name: &str) -> f64 {
        self.model().geoms[index_of(self.model().geoms.iter().map(|g| &g.name), name)].size[0]
    }

    /// Position of the site `name`, m.
    pub fn site(&self, name: &str) -> [f64; 3] {
        row(self.site_xpos(), index_of(self.model().sites.iter(), name))
    }

    /// Radius of the site `name`, m.
    pub fn site_radius(&self, name: &str) -> f64 {
        self.model().site_radii[index_of(self.model().sites.iter(), name)]
    }

    /// Readings of the sensor `name`.
    pub fn sensor(&self, name: &str) -> &[f64] {
        let sensors = &self.model().sensors;
        &self.sensordata()[sensors[index_of(sensors.iter().map(|s| &s.0), name)].1.clone()]
    }

    /// Sets the position of the joint `name`: its first numbers in qpos.
    pub fn set_joint(&mut self, name: &str, position: &[f64]) {
        let at = self.model().joints[index_of(self.model().joints.iter().map(|j| &j.name), name)].qpos;
        self.qpos_mut()[at..at + position.len()].copy_from_slice(position);
    }
}
