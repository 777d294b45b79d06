//! An observation in a trace file.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An observation: a vector as in Gymnasium, or named parts as in DM Control.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// `[obs_dim]`
    Vector(Vec<f64>),
    /// Name and numbers of each part, in order; together `[obs_dim]`.
    Parts(Vec<(String, Vec<f64>)>),
}

impl Observation {
    /// Splits `obs`, `[obs_dim]`, into `parts`, each with a name and a length. Without parts it stays a vector.
    pub(super) fn from_parts(obs: &[f32], parts: &[(&'static str, usize)]) -> Self {
        let wide = |part: &[f32]| part.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        if parts.is_empty() {
            return Self::Vector(wide(obs));
        }
        let mut rest = obs;
        let cut = |&(name, len): &(&'static str, usize)| {
            let (part, after) = rest.split_at(len);
            rest = after;
            (name.to_string(), wide(part))
        };
        Self::Parts(parts.iter().map(cut).collect())
    }

    /// The numbers of a part; `None` for a vector or an unknown name.
    pub fn part(&self, name: &str) -> Option<&[f64]> {
        match self {
            Self::Vector(_) => None,
            Self::Parts(parts) => parts.iter().find(|(n, _)| n == name).map(|(_, part)| &part[..]),
        }
    }

    /// All numbers in order, `[obs_dim]`.
    pub fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Vector(numbers) => numbers.clone(),
            Self::Parts(parts) => parts.iter().flat_map(|(_, part)| part).copied().collect(),
        }
    }
}

impl Serialize for Observation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Vector(numbers) => numbers.serialize(to),
            Self::Parts(parts) => {
                let mut map = to.serialize_map(Some(parts.len()))?;
                for (name, part) in parts {
                    map.serialize_entry(name, part)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Observation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ObservationVisitor)
    }
}

/// Reads a list of numbers, or a map of lists or numbers in the file's order.
struct ObservationVisitor;

impl<'de> Visitor<'de> for ObservationVisitor {
    type Value = Observation;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an observation: a list of numbers, or a map of named lists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Observation, A::Error> {
        let mut numbers = Vec::new();
        while let Some(x) = list.next_element()? {
            numbers.push(x);
        }
        Ok(Observation::Vector(numbers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Observation, A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Part {
            Many(Vec<f64>),
            One(f64),
        }
        let mut parts = Vec::new();
        while let Some((name, part)) = map.next_entry()? {
            parts.push((
                name,
                match part {
                    Part::Many(numbers) => numbers,
                    Part::One(x) => vec![x],
                },
            ));
        }
        Ok(Observation::Parts(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_and_vectors_stay_vectors() {
        let text = r#"{"velocity":[1.0,2.0],"height":[3.0]}"#;
        let parts: Observation = serde_json::from_str(text).unwrap();
        assert_eq!(parts.numbers(), [1.0, 2.0, 3.0]);
        assert_eq!(serde_json::to_string(&parts).unwrap(), text);
        assert_eq!((parts.part("height"), parts.part("depth")), (Some(&[3.0][..]), None));
        assert_eq!(parts, Observation::from_parts(&[1.0, 2.0, 3.0], &[("velocity", 2), ("height", 1)]));
        let vector: Observation = serde_json::from_str("[1.0,2.0]").unwrap();
        assert_eq!(vector, Observation::from_parts(&[1.0, 2.0], &[]));
        assert_eq!(serde_json::from_str::<Observation>(r#"{"height":3.0}"#).unwrap().numbers(), [3.0]);
    }
}
