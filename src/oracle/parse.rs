//! Oracles from one line of text: `judge | decorator | decorator`, decorators from the inside out.
//!
//! What stands in quotes is one piece, as in `exec:sh -c 'cat | judge' | mistake=0.1`.

use super::{
    Oracle, OracleError,
    cost::Cost,
    decorator::{Decorated, Decorator},
    equal::Equal,
    exec, human, judges,
    labels::Labels,
    llm,
    matrix::Matrix,
    mistake::Mistake,
    mixture::Mixture,
    myopic::Myopic,
    returns,
    ring::Ring,
    skip::Skip,
    text::split,
    time_share::TimeShare,
};
use crate::game::{self, PreferenceMatrix};

/// A judge or decorator that a description can name.
pub struct Entry {
    /// How it is written.
    pub form: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether it stands behind a `|`.
    pub decorator: bool,
}

/// Every judge and decorator.
pub fn registry() -> &'static [Entry] {
    const fn judge(form: &'static str, about: &'static str) -> Entry {
        Entry { form, about, decorator: false }
    }
    const fn decorator(form: &'static str, about: &'static str) -> Entry {
        Entry { form, about, decorator: true }
    }
    const ALL: &[Entry] = &[
        judge("return", "the longer task return wins"),
        judge("bradley_terry=T", "P = sigmoid(return difference / T), T = 1 if left out"),
        judge("effort", "the smaller sum of squared actions wins"),
        judge("cyclic", "intransitive: P = (1 + sin(angle between the final positions)) / 2"),
        judge(
            "ring=R",
            "intransitive: the paper's preference over final positions, radii beyond R alike, 10 if left out",
        ),
        judge("time_share=L-H", "the longer return, once the share of costly steps lies between L and H"),
        judge(
            "cost=LIMIT",
            "for safety_oracle: less total cost is safer, above LIMIT is unsafe, 25 if left out",
        ),
        judge("game:NAME|FILE.csv", "a preference matrix over options: a built-in game or a file"),
        judge("game:a>b>c", "a rater who ranks the options"),
        judge(human::FORM, "people at a page; after T without an answer (2m) goes on with those there are"),
        judge(
            "exec:COMMAND",
            "a program in any language; exec(timeout=60,batch=1000):COMMAND sets its limits",
        ),
        judge(
            llm::FORM,
            "a language model behind an OpenAI-compatible interface; docs/llm.md has the other options",
        ),
        judge("W*JUDGE + W*JUDGE", "a population of raters: the weighted mean of their probabilities"),
        decorator("mistake=E", "flips an answer with probability E, 0.1 if left out"),
        decorator("skip=E", "abstains where both returns are below E x the mean return, 0.1 if left out"),
        decorator("equal=E", "ties where returns differ by less than E x |mean return|, 0.1 if left out"),
        decorator("myopic=G", "discounts rewards into the past, 0.9 if left out"),
        decorator("labels", "draws a yes or no from the probability"),
    ];
    ALL
}

/// Builds the oracle that `text` describes.
///
/// ```
/// spo::oracle::parse("return")?;
/// spo::oracle::parse("bradley_terry=50 | mistake=0.1 | labels")?;
/// spo::oracle::parse("0.7*return + 0.3*effort")?;
/// spo::oracle::parse("game:cycle")?;
/// spo::oracle::parse("exec(timeout=10):python3 'my judge.py' | labels")?;
/// # Ok::<(), spo::oracle::OracleError>(())
/// ```
///
/// # Errors
/// [`OracleError::Parse`] with the nearest name or the expected range.
pub fn parse(text: &str) -> Result<Box<dyn Oracle>, OracleError> {
    let fail = |why: String| OracleError::Parse { text: text.to_string(), why };
    let mut parts = split(text, "|").map_err(fail)?.into_iter().map(str::trim);
    let population = parts.next().unwrap_or_default();
    let mut oracle = population_of(population).map_err(fail)?;
    for part in parts {
        oracle = decorate(oracle, part).map_err(fail)?;
    }
    Ok(oracle)
}

fn population_of(text: &str) -> Result<Box<dyn Oracle>, String> {
    let mut raters = Vec::new();
    for term in split(text, " + ")?.into_iter().map(str::trim) {
        let (weight, name) = match term.split_once('*') {
            // A weight stands before the judge's name, not within a command or options.
            Some((weight, name)) if !weight.contains([':', '(']) => {
                (number("weight", weight.trim(), 0.0, f64::INFINITY)?, name.trim())
            }
            _ => (1.0, term),
        };
        if weight <= 0.0 {
            return Err(format!("the weight of `{name}` is {weight}; expected more than 0"));
        }
        raters.push((weight, judge(name)?));
    }
    // A population of one is its only rater.
    if raters.len() == 1
        && let Some((_, only)) = raters.pop()
    {
        return Ok(only);
    }
    Ok(Box::new(Mixture { raters }))
}

fn judge(text: &str) -> Result<Box<dyn Oracle>, String> {
    if let Some(game) = text.strip_prefix("game:") {
        let matrix = match game::builtin(game) {
            Some(matrix) => matrix,
            None if game.ends_with(".csv") => {
                PreferenceMatrix::from_csv_path(game.as_ref()).map_err(|e| e.to_string())?
            }
            None if game.contains('>') => {
                let ranking = game.split('>').map(|name| name.trim().to_string()).collect();
                PreferenceMatrix::from_rankings(&[(1.0, ranking)]).map_err(|e| e.to_string())?
            }
            None => {
                return Err(format!(
                    "no game `{game}`; expected a ranking such as a>b>c, a .csv file or one of {}",
                    game::BUILTIN.join(", ")
                ));
            }
        };
        return Ok(Box::new(Matrix(matrix)));
    }
    if let Some(program) = text.strip_prefix("exec").filter(|rest| rest.starts_with([':', '('])) {
        return Ok(Box::new(exec::Exec::new(exec::Options::parse(program)?)));
    }
    if let Some(model) = llm::behind_name(text) {
        return language_model(llm::Options::parse(model)?);
    }
    if text.starts_with("human") {
        return Err(
            "people are asked alone, and by a run with a directory: `spo train --oracle human`".into()
        );
    }
    let (name, value) = split_value(text);
    let oracle: Box<dyn Oracle> = match (name, value) {
        ("return", None) => Box::new(returns::TaskReturn),
        ("bradley_terry", value) => {
            let temperature = number(name, value.unwrap_or("1"), f64::MIN_POSITIVE, f64::INFINITY)?;
            Box::new(returns::BradleyTerry { temperature })
        }
        ("effort", None) => Box::new(judges::Effort),
        ("cyclic", None) => Box::new(judges::Cyclic),
        ("ring", value) => {
            Box::new(Ring { radius: number(name, value.unwrap_or("10"), f64::MIN_POSITIVE, f64::INFINITY)? })
        }
        ("cost", value) => Box::new(Cost { limit: number(name, value.unwrap_or("25"), 0.0, f64::INFINITY)? }),
        ("time_share", value) => Box::new(time_share(value.unwrap_or_default())?),
        _ => return Err(unknown(text, false)),
    };
    Ok(oracle)
}

fn language_model(options: llm::Options) -> Result<Box<dyn Oracle>, String> {
    Ok(Box::new(llm::Llm::new(options)))
}

/// `LOW-HIGH`, two shares.
fn time_share(text: &str) -> Result<TimeShare, String> {
    let (low, high) = text
        .split_once('-')
        .ok_or_else(|| format!("`time_share` is `{text}`; expected shares such as 0.3-0.5"))?;
    let low = number("time_share", low.trim(), 0.0, 1.0)?;
    Ok(TimeShare { low, high: number("time_share", high.trim(), low, 1.0)? })
}

fn decorate(inner: Box<dyn Oracle>, text: &str) -> Result<Box<dyn Oracle>, String> {
    let (name, value) = split_value(text);
    let or = |default| value.unwrap_or(default);
    Ok(match name {
        "mistake" => decorated(inner, Mistake { rate: number(name, or("0.1"), 0.0, 1.0)? }),
        "skip" => decorated(inner, Skip { threshold: number(name, or("0.1"), 0.0, f64::INFINITY)? }),
        "equal" => decorated(inner, Equal { threshold: number(name, or("0.1"), 0.0, f64::INFINITY)? }),
        "myopic" => decorated(inner, Myopic { discount: number(name, or("0.9"), f64::MIN_POSITIVE, 1.0)? }),
        "labels" if value.is_none() => decorated(inner, Labels),
        _ => return Err(unknown(text, true)),
    })
}

fn decorated(inner: Box<dyn Oracle>, decorator: impl Decorator + 'static) -> Box<dyn Oracle> {
    Box::new(Decorated { inner, decorator })
}

fn split_value(text: &str) -> (&str, Option<&str>) {
    text.split_once('=').map_or((text, None), |(name, value)| (name.trim(), Some(value.trim())))
}

pub(super) fn number(name: &str, text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{name}` is `{text}`; expected a number"))?;
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(value);
    }
    let low = if low == f64::MIN_POSITIVE { "more than 0".to_string() } else { format!("at least {low}") };
    let high = if high.is_finite() { format!(" and at most {high}") } else { String::new() };
    Err(format!("`{name}` is {value}; expected {low}{high}"))
}

fn unknown(text: &str, decorator: bool) -> String {
    let kind = if decorator { "decorator" } else { "judge" };
    let names = registry().iter().filter(|e| e.decorator == decorator).map(|e| e.form);
    let nearest = crate::base::nearest::nearest(split_value(text).0, names.map(|form| split_value(form).0));
    let hint = nearest.map(|n| format!(", did you mean `{n}`?")).unwrap_or_default();
    format!("no {kind} `{text}`{hint} `spo oracles` lists them")
}
