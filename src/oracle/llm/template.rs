//! What a language model is told about a task and its trajectories: a TOML file, built in for the tasks of the registry.

use std::path::Path;

use serde::Deserialize;
use spo_envs::Spec;

use super::summary::{Reduction, Summary};
use crate::base::toml_error::explain;

/// What a model is told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    /// What the model's role is; the first text that it reads.
    pub preamble: String,
    /// What the task is; `{about}` is replaced by the environment's line in the registry.
    pub task: String,
    /// The question about two trajectories.
    pub question: String,
    /// The question about one trajectory, for scores from 1 to 10.
    pub rating: String,
    /// The numbers that describe a trajectory.
    pub summary: Vec<Summary>,
    /// Examples with their answers, shown before the question.
    pub exemplar: Vec<Exemplar>,
    /// Added to the body of every request; replaces keys that are there.
    pub request: toml::Table,
    /// Keys left out of the body of every request, for servers that refuse them.
    pub omit: Vec<String>,
}

/// An example of a comparison with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemplar {
    /// Description of the first trajectory.
    pub a: String,
    /// Description of the second one.
    pub b: String,
    /// 1 or 2.
    pub preferred: u8,
    /// The rationale, shown if the model is asked for one.
    #[serde(default)]
    pub rationale: String,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            preamble: "You judge how well simulated controllers do a task. You read measurements of their trajectories \
                       and decide by the task alone."
                .into(),
            task: "{about}".into(),
            question: "Which trajectory does the task better?".into(),
            rating: "How well does this trajectory do the task, from 1 (not at all) to 10 (as well as can be)?".into(),
            summary: Vec::new(),
            exemplar: Vec::new(),
            request: toml::Table::new(),
            omit: Vec::new(),
        }
    }
}

/// The built-in templates, with the tasks that they are for.
const SHIPPED: &[(&[&str], &str)] = &[
    (&["pendulum"], include_str!("templates/pendulum.toml")),
    (&["mountain_car"], include_str!("templates/mountain_car.toml")),
    (&["cartpole_swing_up"], include_str!("templates/cartpole_swing_up.toml")),
    (&["dmc:cartpole-balance", "dmc:cartpole-swingup"], include_str!("templates/dmc_cartpole.toml")),
    (&["acrobot"], include_str!("templates/acrobot.toml")),
    (&["reacher"], include_str!("templates/reacher.toml")),
    (&["point"], include_str!("templates/point.toml")),
    (&["point_goal"], include_str!("templates/point_goal.toml")),
    (&["lqr"], include_str!("templates/lqr.toml")),
    (&["HalfCheetah-v5"], include_str!("templates/half_cheetah.toml")),
    (&["Hopper-v5"], include_str!("templates/hopper.toml")),
    (&["Walker2d-v5"], include_str!("templates/walker2d.toml")),
    (&["Ant-v5"], include_str!("templates/ant.toml")),
    (&["Humanoid-v5"], include_str!("templates/humanoid.toml")),
    (&["Swimmer-v5"], include_str!("templates/swimmer.toml")),
    (&["InvertedPendulum-v5"], include_str!("templates/inverted_pendulum.toml")),
    (&["InvertedDoublePendulum-v5"], include_str!("templates/inverted_double_pendulum.toml")),
    (&["Reacher-v5"], include_str!("templates/mujoco_reacher.toml")),
    (&["dmc:cheetah-run"], include_str!("templates/half_cheetah.toml")),
    (&["dmc:walker-stand", "dmc:walker-walk", "dmc:walker-run"], include_str!("templates/dmc_walker.toml")),
    (&["dmc:hopper-stand", "dmc:hopper-hop"], include_str!("templates/dmc_hopper.toml")),
    (&["dmc:quadruped-walk", "dmc:quadruped-run"], include_str!("templates/dmc_quadruped.toml")),
    (&["dmc:point_mass-easy"], include_str!("templates/dmc_point_mass.toml")),
    (&["dmc:reacher-easy", "dmc:reacher-hard"], include_str!("templates/dmc_reacher.toml")),
];

/// Most observations that are described for a task without a template; more would not help a model.
const MOST_OBSERVATIONS: usize = 16;

impl Template {
    /// The template of a task: from a file, or built in, or else a generic one.
    ///
    /// # Errors
    /// Which file, what is wrong with it, and how to correct it.
    pub fn load(file: Option<&Path>, task: &Spec) -> Result<Self, String> {
        let mut template = match file {
            Some(path) => {
                let failed = |why: String| format!("template {}: {why}", path.display());
                let text =
                    std::fs::read_to_string(path).map_err(|e| failed(format!("cannot be read: {e}")))?;
                let template = Self::read(&text).map_err(failed)?;
                template.check(task).map_err(failed)?;
                template
            }
            None => Self::shipped(task)?,
        };
        template.task = template.task.replace("{about}", about(&task.id));
        Ok(template)
    }

    fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| format!("TOML: {}", explain(&e, "docs/llm.md lists the keys")))
    }

    fn shipped(task: &Spec) -> Result<Self, String> {
        let base = base(&task.id);
        match SHIPPED.iter().find(|(ids, _)| ids.contains(&base)) {
            Some((_, text)) => Self::read(text).and_then(|t| t.check(task).map(|()| t)),
            None => Ok(Self::generic(task)),
        }
    }

    /// A template that names every observation by its index.
    fn generic(task: &Spec) -> Self {
        let one = |name: String, obs: Vec<usize>, action: Vec<usize>, take| Summary {
            name,
            obs,
            action,
            take,
            ..Summary::default()
        };
        let observed = (0..task.obs_dim.min(MOST_OBSERVATIONS)).flat_map(|i| {
            [("mean", Reduction::Mean), ("final", Reduction::Final)]
                .map(|(word, take)| one(format!("observation {i}, {word}"), vec![i], vec![], take))
        });
        let acted = (0..task.action.dim().min(MOST_OBSERVATIONS))
            .map(|i| one(format!("action {i}, mean"), vec![], vec![i], Reduction::Mean));
        Self { summary: observed.chain(acted).collect(), ..Self::default() }
    }

    fn check(&self, task: &Spec) -> Result<(), String> {
        if self.summary.is_empty() {
            return Err("there is no [[summary]], so all trajectories would look the same".into());
        }
        self.summary.iter().try_for_each(|s| s.check(task))?;
        for (at, s) in self.summary.iter().enumerate() {
            if self.summary[..at].iter().any(|other| other.name == s.name) {
                return Err(format!("two summaries are named `{}`", s.name));
            }
        }
        if let Some(e) = self.exemplar.iter().find(|e| !(1..=2).contains(&e.preferred)) {
            return Err(format!("an [[exemplar]] has `preferred` {}; expected 1 or 2", e.preferred));
        }
        match serde_json::to_value(&self.request) {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("[request] cannot be sent as JSON: {e}")),
        }
    }
}

/// The registry's name of a task, without a horizon such as `@200`.
fn base(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

/// The registry's line about a task, or its name if it has none.
fn about(id: &str) -> &str {
    spo_envs::registry().iter().find(|e| e.id == base(id)).map_or(id, |e| e.about)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every task of the registry that can be made here.
    fn tasks() -> Vec<Spec> {
        spo_envs::registry().iter().filter_map(|e| Some(e.make().ok()?.spec().clone())).collect()
    }

    #[test]
    fn every_task_has_a_template_that_fits_and_leaks_no_reward() {
        let tasks = tasks();
        assert!(tasks.len() >= 8);
        for task in &tasks {
            let t = Template::load(None, task).unwrap_or_else(|why| panic!("{}: {why}", task.id));
            t.check(task).unwrap_or_else(|why| panic!("{}: {why}", task.id));
            assert!(t.summary.iter().all(|s| s.signal.is_none()), "{}", task.id);
            assert!(!t.task.contains("{about}"), "{}", t.task);
        }
    }

    #[test]
    fn what_is_shipped_can_be_read_and_is_for_a_task() {
        for (ids, text) in SHIPPED {
            let t = Template::read(text).unwrap_or_else(|why| panic!("{ids:?}: {why}"));
            assert!(t.summary.len() >= 2 && t.summary.iter().all(|s| s.signal.is_none()), "{ids:?}");
            for id in *ids {
                assert!(spo_envs::registry().iter().any(|e| e.id == *id), "{id}");
            }
        }
    }

    #[test]
    fn a_horizon_of_ones_own_changes_nothing() {
        let spec = |id: &str| spo_envs::make(id).unwrap().spec().clone();
        assert_eq!(Template::load(None, &spec("point@7")), Template::load(None, &spec("point")));
    }

    #[test]
    fn wrong_files_get_the_mend() {
        let task = spo_envs::make("point").unwrap().spec().clone();
        let home = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            let path = home.path().join("t.toml");
            std::fs::write(&path, text).unwrap();
            Template::load(Some(&path), &task).unwrap_err()
        };
        let good = "[[summary]]\nname = 'x'\nobs = [0]\ntake = 'final'\n";
        for (text, expected) in [
            ("", "no [[summary]]"),
            ("tsak = 'x'", "did you mean `task`?"),
            ("[[summary]]\nname = 'x'\nobs = [9]\ntake = 'final'", "`point` has indices 0 to 3"),
            ("[[summary]]\nname = 'x'\nobs = [0]\ntake = 'last'", "unknown variant `last`"),
            (&format!("{good}{good}"), "two summaries are named `x`"),
            (&format!("{good}[[exemplar]]\na = 'a'\nb = 'b'\npreferred = 0"), "expected 1 or 2"),
        ] {
            let message = load(text);
            assert!(message.contains("t.toml") && message.contains(expected), "{text}: {message}");
        }
        let message = Template::load(Some(Path::new("/no/such.toml")), &task).unwrap_err();
        assert!(message.contains("/no/such.toml: cannot be read"), "{message}");
    }
}
