//! The section on the system.

use super::{Grid, Part, Section, listed, missing, stated, text};
use crate::evaluate::audit::Audit;
use crate::evaluate::audit::document::Cell;
use crate::evaluate::audit::flags::shown;
use crate::evaluate::audit::system::Sibling;
use crate::evaluate::report::write::{number, whole};

pub(super) fn section(audit: &Audit) -> Section {
    let (s, about) = (&audit.system, &audit.about.system);
    let sibling = |x: &Sibling| match x.eval_return_mean {
        Some(mean) => format!("{} ({})", x.seed, number(mean)),
        None => format!("{} (not ended)", x.seed),
    };
    let mut facts = vec![
        ("seed", text(s.seed.to_string())),
        ("other seeds, with returns", stated(&s.siblings.iter().map(sibling).collect::<Vec<_>>().join(", "))),
    ];
    if let Some(over) = s.over_seeds {
        facts.push(("return over seeds", text(shown(&over))));
    }
    let clock = s.seconds.map_or_else(
        || missing("not recorded"),
        |t| text(format!("{} s, {} steps/s", number(t), whole(s.env_steps as f64 / t.max(1e-9)))),
    );
    facts.extend([
        ("commit", s.commit.clone().map_or_else(|| missing("not recorded"), Cell::Code)),
        ("this page was written by", text(s.audited_by.clone())),
        ("device", Cell::Code(s.device.clone())),
        (
            "training",
            text(format!("{} iterations, {} environment steps", s.iterations, whole(s.env_steps as f64))),
        ),
        ("wall clock", clock),
    ]);
    if let Some(error) = &s.error {
        facts.push(("failed with", Cell::Code(error.clone())));
    }
    facts.extend([
        ("command to train it again", Cell::Code(s.command.clone())),
        ("tried and dropped", listed(&about.tried_and_dropped)),
        ("known failure modes", listed(&about.known_failure_modes)),
        ("monitoring", stated(&about.monitoring)),
        ("contact", stated(&about.contact)),
    ]);
    let changed = Grid {
        caption: "Keys that differ from the default",
        key: "key",
        columns: vec!["value", "default"],
        rows: (s.changed.iter())
            .map(|c| (c.key.clone(), vec![Cell::Code(c.value.clone()), Cell::Code(c.default.clone())]))
            .collect(),
        note: String::new(),
    };
    let mut parts = Vec::new();
    if !s.changed.is_empty() {
        parts.push(Part::Grid(changed));
    }
    parts.push(Part::Code { caption: "The whole configuration", text: s.config.clone() });
    Section { title: "The system", lead: "How the policy was made, and comparable runs.", facts, parts }
}
