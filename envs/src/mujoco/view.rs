//! Named things of a state.

use super::native::Simulation;

/// The place of a name that the embedded model has.
fn place(mut names: impl Iterator<Item = impl AsRef<str>>, name: &str) -> usize {
    names.position(|n| n.as_ref() == name).expect("the embedded model names it")
}

/// Row `i` of an array of triples.
fn row(of: &[f64], i: usize) -> [f64; 3] {
    std::array::from_fn(|axis| of[3 * i + axis])
}

impl Simulation {
    /// Where the body of that name is, m.
    pub fn body(&self, name: &str) -> [f64; 3] {
        row(self.xpos(), place(self.model().bodies.iter(), name))
    }

    /// The orientation of the body of that name: `[3 · row + column]`, columns its axes.
    pub fn body_axes(&self, name: &str) -> [f64; 9] {
        let at = 9 * place(self.model().bodies.iter(), name);
        std::array::from_fn(|i| self.xmat()[at + i])
    }

    /// Where the centre of mass of the body of that name is, m.
    pub fn centre(&self, name: &str) -> [f64; 3] {
        row(self.xipos(), place(self.model().bodies.iter(), name))
    }

    /// Where the geom of that name is, m.
    pub fn geom(&self, name: &str) -> [f64; 3] {
        row(self.geom_xpos(), place(self.model().geoms.iter().map(|g| &g.name), name))
    }

    /// The first size of the geom of that name, m.
    pub fn geom_radius(&self, name: &str) -> f64 {
        self.model().geoms[place(self.model().geoms.iter().map(|g| &g.name), name)].size[0]
    }

    /// Where the site of that name is, m.
    pub fn site(&self, name: &str) -> [f64; 3] {
        row(self.site_xpos(), place(self.model().sites.iter(), name))
    }

    /// The radius of the site of that name, m.
    pub fn site_radius(&self, name: &str) -> f64 {
        self.model().site_radii[place(self.model().sites.iter(), name)]
    }

    /// What the sensor of that name reads.
    pub fn sensor(&self, name: &str) -> &[f64] {
        let sensors = &self.model().sensors;
        &self.sensordata()[sensors[place(sensors.iter().map(|s| &s.0), name)].1.clone()]
    }

    /// Writes the position of the joint of that name: its first numbers in qpos.
    pub fn set_joint(&mut self, name: &str, position: &[f64]) {
        let at = self.model().joints[place(self.model().joints.iter().map(|j| &j.name), name)].qpos;
        self.qpos_mut()[at..at + position.len()].copy_from_slice(position);
    }
}
