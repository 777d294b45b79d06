//! Reads an experiment from a file and checks all names and keys.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Table;

use super::{Experiment, ExperimentError, MOST_PICTURED, Product, Quick, Seeds};
use spo::base::nearest::nearest;
use spo::base::toml_error;
use spo::train::config::{Config, ConfigError};

const HELP: &str = "`spo experiment --help` shows the form, and keys of runs belong in [base], [tasks.NAME], \
                    [methods.NAME] or a `set`";

impl Experiment {
    /// Reads a file, in its long or its quick form.
    ///
    /// # Errors
    /// [`ExperimentError`] with the file, the part, and the most similar known name.
    pub fn from_file(path: &Path, quick: bool) -> Result<Self, ExperimentError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let origin = path.display().to_string();
        let mut experiment: Self = toml::from_str(&text).map_err(|e| {
            let single = toml::from_str::<Table>(&text)
                .is_ok_and(|t| Config::from_toml(&t.to_string(), &origin).is_ok());
            let of_one_run = || ConfigError::Parse {
                origin: origin.clone(),
                why: format!("it is the configuration of one run: `spo train --config {origin}`"),
            };
            if single {
                of_one_run()
            } else {
                ConfigError::Parse { origin: origin.clone(), why: toml_error::explain(&e, HELP) }
            }
        })?;
        if experiment.name.is_empty() {
            experiment.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        experiment.check(path)?;
        let form = experiment.quick.take();
        match (quick, form) {
            (true, Some(form)) => experiment.apply(form),
            (true, None) => {
                let why = "the experiment has no quick form; leave --quick out, or add the section".into();
                return Err(ExperimentError::Part { path: path.into(), part: "[quick]".into(), why });
            }
            (false, _) => {}
        }
        experiment.drop_unused();
        Ok(experiment)
    }

    /// The experiment as TOML, which can be read again.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("tables of plain values")
    }

    fn apply(&mut self, quick: Quick) {
        if !quick.cells.is_empty() {
            self.cells = quick.cells;
        } else if quick.seeds.is_some() {
            self.cells.iter_mut().for_each(|product| product.seeds = None);
        }
        self.seeds = quick.seeds.unwrap_or_else(|| self.seeds.clone());
        for product in &mut self.cells {
            merge(&mut product.set, &quick.set);
        }
    }

    /// Drops tasks and methods that only the other form uses.
    fn drop_unused(&mut self) {
        let used = |names: fn(&Product) -> &Vec<String>, name: &String| {
            self.cells.iter().any(|product| names(product).contains(name))
        };
        self.tasks.retain(|name, _| used(|p| &p.tasks, name));
        self.methods.retain(|name, _| used(|p| &p.methods, name));
        self.reference.retain(|name| self.methods.contains_key(name));
        self.skyline = self.skyline.take().filter(|name| self.methods.contains_key(name));
        self.pictured.retain(|name| self.methods.contains_key(name));
        self.headline.values_mut().for_each(|family| family.retain(|name| self.methods.contains_key(name)));
        self.headline.retain(|_, family| !family.is_empty());
    }

    fn check(&self, path: &Path) -> Result<(), ExperimentError> {
        let fail = |part: &str, why: String| {
            Err(ExperimentError::Part { path: path.into(), part: part.into(), why })
        };
        let (tasks, methods) = (&self.tasks, &self.methods);
        for (kind, names) in [("tasks", tasks), ("methods", methods)] {
            if let Some(bad) = names.keys().find(|name| !is_name(name)) {
                let why = "a directory is named after it: letters, digits, `.`, `_`, `-` and `@` only".into();
                return fail(&format!("[{kind}.{bad}]"), why);
            }
        }
        if !is_name(&self.name) {
            return fail("name", format!("`{}` cannot be a directory's name", self.name));
        }
        check_keys(path, "[base]", &self.base)?;
        for (name, keys) in tasks {
            check_keys(path, &format!("[tasks.{name}]"), keys)?;
        }
        for (name, keys) in methods {
            check_keys(path, &format!("[methods.{name}]"), keys)?;
        }
        let quick = self.quick.iter().flat_map(|q| &q.cells);
        let products: Vec<(&str, &Product)> = (self.cells.iter().map(|p| ("[[cells]]", p)))
            .chain(quick.map(|p| ("[[quick.cells]]", p)))
            .collect();
        for (part, product) in &products {
            known(path, &format!("{part} tasks"), &product.tasks, tasks)?;
            known(path, &format!("{part} methods"), &product.methods, methods)?;
            if product.methods.is_empty() {
                return fail(&format!("{part} methods"), "it is empty; name at least one method".into());
            }
            check_keys(path, &format!("{part} set"), &product.set)?;
            check_seeds(path, &format!("{part} seeds"), product.seeds.as_ref())?;
        }
        if let Some(quick) = &self.quick {
            check_keys(path, "[quick] set", &quick.set)?;
            check_seeds(path, "[quick] seeds", quick.seeds.as_ref())?;
        }
        check_seeds(path, "seeds", Some(&self.seeds))?;
        known(path, "reference", &self.reference, methods)?;
        known(path, "skyline", self.skyline.as_slice(), methods)?;
        known(path, "pictured", &self.pictured, methods)?;
        if self.pictured.len() > MOST_PICTURED {
            let why = format!(
                "{} methods; a panel with more than {MOST_PICTURED} lines cannot be read",
                self.pictured.len()
            );
            return fail("pictured", why);
        }
        for (family, names) in &self.headline {
            known(path, &format!("[headline] {family}"), names, methods)?;
        }
        for (kind, names) in [("tasks", tasks), ("methods", methods)] {
            let named = |p: &Product| if kind == "tasks" { p.tasks.clone() } else { p.methods.clone() };
            let unused = names.keys().find(|name| !products.iter().any(|(_, p)| named(p).contains(name)));
            if let Some(name) = unused {
                return fail(
                    &format!("[{kind}.{name}]"),
                    "it is in no cell; name it there, or drop it".into(),
                );
            }
        }
        Ok(())
    }
}

/// Overrides keys by other keys, in every section.
fn merge(under: &mut Table, over: &Table) {
    for (name, value) in over {
        match (under.get_mut(name), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
            _ => {
                under.insert(name.clone(), value.clone());
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

/// Checks that every key is known and that its value has the right type.
fn check_keys(path: &Path, part: &str, keys: &Table) -> Result<(), ExperimentError> {
    let fail = |key: &str, why: String| ExperimentError::Part {
        path: path.into(),
        part: format!("{part} {key}"),
        why,
    };
    for (key, value) in keys {
        if key == "seed" {
            return Err(fail(key, "an experiment's seeds are listed under `seeds`".into()));
        }
        match value {
            toml::Value::Table(section) => {
                for (short, value) in section {
                    Config::check_key(&format!("{key}.{short}"), value)
                        .map_err(|why| fail(&format!("{key}.{short}"), why))?;
                }
            }
            value => Config::check_key(key, value).map_err(|why| fail(key, why))?,
        }
    }
    Ok(())
}

fn check_seeds(path: &Path, part: &str, seeds: Option<&Seeds>) -> Result<(), ExperimentError> {
    let Some(seeds) = seeds else { return Ok(()) };
    let fail = |why: String| Err(ExperimentError::Part { path: path.into(), part: part.into(), why });
    match seeds {
        Seeds::Count(n) if !(1..=10_000).contains(n) => fail(format!("{n} seeds; expected 1 to 10000")),
        Seeds::List(list) if list.is_empty() => fail("the list is empty; name at least one seed".into()),
        Seeds::List(list) => match list.iter().enumerate().find(|(i, seed)| list[..*i].contains(seed)) {
            Some((_, twice)) => fail(format!("seed {twice} is listed twice")),
            None => Ok(()),
        },
        Seeds::Count(_) => Ok(()),
    }
}

/// Checks that every name is in the section.
fn known(
    path: &Path,
    part: &str,
    names: &[String],
    section: &BTreeMap<String, Table>,
) -> Result<(), ExperimentError> {
    let Some(name) = names.iter().find(|name| !section.contains_key(*name)) else { return Ok(()) };
    let near = nearest(name, section.keys().map(String::as_str));
    let hint = near.map_or_else(
        || format!("; expected one of {}", section.keys().cloned().collect::<Vec<_>>().join(", ")),
        |near| format!(", did you mean `{near}`?"),
    );
    Err(ExperimentError::Part { path: path.into(), part: part.into(), why: format!("no `{name}`{hint}") })
}
