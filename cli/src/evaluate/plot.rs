//! Curves of runs as SVG or PNG: return, cost, λ, win-proportion spread, entropy and KL, against steps and queries.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use spo::train::Record;
use spo::train::config::{Config, ConfigError, ScorerKind};
use spo::train::run::{Run, files};

pub(crate) mod axis;
pub(crate) mod curves;
pub(crate) mod dots;
pub mod palette;
pub(crate) mod panel;
pub(crate) mod sheet;

use curves::{Curve, Sample};
use sheet::Sheet;

/// What can go wrong with a plot.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// A directory that holds no run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its metrics cannot be read.
    #[error("{path}: {source}")]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// Nothing to draw yet.
    #[error("{0} has no rows yet; let the run make an iteration first")]
    Empty(PathBuf),
    /// An ending that is neither.
    #[error("{0}: expected a file name that ends in .svg or .png")]
    Ending(PathBuf),
    /// The picture cannot be written.
    #[error("cannot write {path}: {why}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A column of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Of the sampled trajectories.
    TaskReturn,
    /// By the task, of the sampled trajectories.
    Cost,
    /// λ, of a run with a safety oracle.
    Lagrange,
    /// Of win proportions; means something of self-play only.
    Spread,
    /// Of the policy.
    Entropy,
    /// KL(old ‖ new) of an update.
    Kl,
}

impl Figure {
    const ALL: [Self; 6] =
        [Self::TaskReturn, Self::Cost, Self::Lagrange, Self::Spread, Self::Entropy, Self::Kl];

    fn title(self) -> &'static str {
        match self {
            Self::TaskReturn => "task return",
            Self::Cost => "cost of an episode",
            Self::Lagrange => "multiplier",
            Self::Spread => "spread of win proportions",
            Self::Entropy => "entropy (nats)",
            Self::Kl => "KL(old, new)",
        }
    }

    fn of(self, r: &Record) -> f64 {
        match self {
            Self::TaskReturn => r.return_mean,
            Self::Cost => r.cost_mean,
            Self::Lagrange => r.multiplier.unwrap_or(0.0),
            Self::Spread => r.score_spread,
            Self::Entropy => f64::from(r.entropy),
            Self::Kl => f64::from(r.approx_kl),
        }
    }

    fn samples(self, records: &[Record]) -> Vec<Sample> {
        let sample = |r: &Record| Sample {
            iteration: r.iteration,
            env_steps: r.env_steps,
            queries: r.queries,
            value: self.of(r),
        };
        records.iter().map(sample).collect()
    }

    /// Whether runs of the scorer have such a column: a learner that has no such figure writes zeros.
    fn is_in(self, scorer: ScorerKind, runs: &[Vec<Record>]) -> bool {
        (self != Self::Spread || scorer == ScorerKind::SelfPlay)
            && runs.iter().flatten().any(|r| self.of(r) != 0.0)
    }
}

/// Draws the runs in `dirs` into `out`, SVG or PNG by its ending; runs that differ in their seed alone are one curve with the
/// 95 % interval of its mean. A figure that none of them has is left out.
///
/// # Errors
/// [`PlotError`].
pub fn runs(dirs: &[PathBuf], out: &Path) -> Result<(), PlotError> {
    let all = alike(dirs)?;
    let scorers: Vec<&str> = all.iter().map(|those| method_of(those.config.scorer)).collect();
    let colors = palette::of_methods(&scorers);
    let records = |those: &Alike| those.dirs.iter().map(|dir| records(dir)).collect::<Result<Vec<_>, _>>();
    let runs: Vec<Vec<Vec<Record>>> = all.iter().map(records).collect::<Result<_, _>>()?;
    // A single curve needs no name beside every panel.
    let heading = if let [only] = &all[..] { only.name.clone() } else { String::new() };
    let curve = |figure: Figure, place: usize| Curve {
        name: if heading.is_empty() { all[place].name.clone() } else { String::new() },
        color: colors[place],
        dashed: all[place].config.scorer == ScorerKind::TaskReward && all.len() > 1,
        runs: runs[place].iter().map(|records| figure.samples(records)).collect(),
    };
    let rows = Figure::ALL.into_iter().filter_map(|figure| {
        let has = |place: &usize| figure.is_in(all[*place].config.scorer, &runs[*place]);
        let curves: Vec<Curve> = (0..all.len()).filter(has).map(|place| curve(figure, place)).collect();
        (!curves.is_empty()).then(|| curves::row(figure.title(), &curves, figure == Figure::TaskReturn))
    });
    Sheet { rows: rows.collect(), heading }.write(out)
}

/// The method that has the scorer's colour.
fn method_of(scorer: ScorerKind) -> &'static str {
    match scorer {
        ScorerKind::TaskReward => "skyline",
        ScorerKind::LlmDirect => "d_rlaif",
        other => other.name(),
    }
}

/// The rows of a run's metrics.
///
/// # Errors
/// [`PlotError::Metrics`], [`PlotError::Empty`].
pub fn records(dir: &Path) -> Result<Vec<Record>, PlotError> {
    let path = dir.join(files::METRICS);
    let records: Vec<Record> = rows(&path)?;
    if records.is_empty() { Err(PlotError::Empty(path)) } else { Ok(records) }
}

/// The rows of a table of a run.
pub(crate) fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, PlotError> {
    csv::Reader::from_path(path)
        .and_then(|mut reader| reader.deserialize().collect())
        .map_err(|source| PlotError::Metrics { path: path.into(), source })
}

/// Runs that differ in their seed alone.
pub(crate) struct Alike {
    /// In a legend.
    pub name: String,
    /// With seed 0.
    pub config: Config,
    /// The runs' directories.
    pub dirs: Vec<PathBuf>,
}

/// The runs by configuration, seeds apart, in order of first appearance.
pub(crate) fn alike(dirs: &[PathBuf]) -> Result<Vec<Alike>, PlotError> {
    let mut all: Vec<Alike> = Vec::new();
    for dir in dirs {
        let config = Config { seed: 0, ..Run::config_of(dir)? };
        match all.iter_mut().find(|those| those.config == config) {
            Some(those) => those.dirs.push(dir.clone()),
            None => all.push(Alike { name: String::new(), config, dirs: vec![dir.clone()] }),
        }
    }
    let configs: Vec<Config> = all.iter().map(|those| those.config.clone()).collect();
    all.iter_mut().for_each(|those| those.name = label(&those.config, &configs, those.dirs.len()));
    Ok(all)
}

/// The environment, and the keys in which the curves differ.
pub(crate) fn label(config: &Config, all: &[Config], runs: usize) -> String {
    let own = config.values();
    let others: Vec<_> = all.iter().map(Config::values).collect();
    // A key of a section that another run does not read tells them apart no better than the choice of the section.
    let differs =
        |key: &str| key != "env" && others.iter().any(|o| o.get(key).is_some_and(|value| *value != own[key]));
    let short = |key: &str| key.rsplit('.').next().unwrap_or_default().to_string();
    let keys: Vec<String> =
        own.iter().filter(|(k, _)| differs(k)).map(|(k, v)| format!("{}={v}", short(k))).collect();
    let seeds = if runs > 1 { format!(", {runs} seeds") } else { String::new() };
    let name: Vec<String> = std::iter::once(config.env.clone()).chain(keys).collect();
    format!("{}{seeds}", name.join(" "))
}
