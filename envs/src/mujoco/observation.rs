//! A buffer in which tasks build their observations.

/// The numbers of an observation, and the names of its parts if the task has named parts.
#[derive(Default)]
pub(crate) struct Observation {
    /// All numbers in order.
    pub values: Vec<f32>,
    /// Name and length of each part.
    pub parts: Vec<(&'static str, usize)>,
}

impl Observation {
    /// Empties the buffer and keeps its memory.
    pub fn clear(&mut self) {
        self.values.clear();
        self.parts.clear();
    }

    /// Adds numbers.
    pub fn put<'a>(&mut self, values: impl IntoIterator<Item = &'a f64>) {
        self.values.extend(values.into_iter().map(|&x| x as f32));
    }

    /// Adds a named part.
    pub fn part(&mut self, name: &'static str, values: impl IntoIterator<Item = f64>) {
        let before = self.values.len();
        self.values.extend(values.into_iter().map(|x| x as f32));
        self.parts.push((name, self.values.len() - before));
    }
}
