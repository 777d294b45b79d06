//! Parses the text of an oracle, `judge | decorator | decorator`; the first decorator is the innermost.
//!
//! Text in quotes is not split, as in `exec:sh -c 'cat | judge' | mistake=0.1`.

use super::matrix::GameSource;
use super::spec::{Asked, DecoratorSpec, JudgeSpec, OracleSpec};
use super::text::split;
use super::time_share::TimeShare;
use super::{Oracle, OracleError, exec, human, llm};

/// The error where people are a part of a mixture, or asked without a run's directory.
pub(super) const PEOPLE_ALONE: &str = "people are asked alone, and only by `spo train --oracle human`";

/// A judge or decorator that a description can name.
pub struct Entry {
    /// How it is written.
    pub form: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether it is written after a `|`.
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
        judge("return", "the larger task return wins"),
        judge("bradley_terry=T", "P = sigmoid(return difference / T), T = 1 if left out"),
        judge("effort", "the smaller sum of squared actions wins"),
        judge("cyclic", "intransitive: P = (1 + sin(angle between the final positions)) / 2"),
        judge(
            "ring=R",
            "intransitive: the paper's preference over final positions, radii beyond R alike, 10 if left out",
        ),
        judge("time_share=L-H", "the larger return, once the share of costly steps lies between L and H"),
        judge(
            "cost=LIMIT",
            "for safety.oracle: less total cost is safer, above LIMIT is unsafe, 25 if left out",
        ),
        judge("game:NAME|FILE.csv", "a preference matrix over options: a built-in game or a file"),
        judge("game:a>b>c", "a rater who ranks the options"),
        judge(
            human::FORM,
            "people at a web page; training continues after T without a new answer, 2m if left out",
        ),
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

/// Builds the oracle that `text` describes: parses an [`OracleSpec`] and builds it.
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
    text.parse::<OracleSpec>()?.build()
}

/// Parses a whole description.
///
/// # Errors
/// What is wrong, and how to correct it.
pub(super) fn description(text: &str) -> Result<Asked, String> {
    if let Some(human) = human::Human::parse(text) {
        return human.map(Asked::People);
    }
    let mut parts = split(text, "|")?.into_iter().map(str::trim);
    let raters = population(parts.next().unwrap_or_default())?;
    let decorators = parts.map(decorator).collect::<Result<_, _>>()?;
    Ok(Asked::Judges { raters, decorators })
}

fn population(text: &str) -> Result<Vec<(f64, JudgeSpec)>, String> {
    let mut raters = Vec::new();
    for term in split(text, " + ")?.into_iter().map(str::trim) {
        let (weight, name) = match term.split_once('*') {
            // A weight comes before the judge's name; a `*` in a command or in options is no weight.
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
    Ok(raters)
}

fn judge(text: &str) -> Result<JudgeSpec, String> {
    if let Some(game) = text.strip_prefix("game:") {
        return Ok(JudgeSpec::Game(GameSource::parse(game)?));
    }
    if let Some(program) = text.strip_prefix("exec").filter(|rest| rest.starts_with([':', '('])) {
        return Ok(JudgeSpec::Program(exec::Options::parse(program)?));
    }
    if let Some(model) = llm::behind_name(text) {
        return Ok(JudgeSpec::LanguageModel(llm::Options::parse(model)?));
    }
    if text.starts_with("human") {
        return Err(PEOPLE_ALONE.into());
    }
    let (name, value) = split_value(text);
    Ok(match (name, value) {
        ("return", None) => JudgeSpec::TaskReturn,
        ("bradley_terry", value) => {
            let temperature = number(name, value.unwrap_or("1"), f64::MIN_POSITIVE, f64::INFINITY)?;
            JudgeSpec::BradleyTerry { temperature }
        }
        ("effort", None) => JudgeSpec::Effort,
        ("cyclic", None) => JudgeSpec::Cyclic,
        ("ring", value) => {
            JudgeSpec::Ring { radius: number(name, value.unwrap_or("10"), f64::MIN_POSITIVE, f64::INFINITY)? }
        }
        ("cost", value) => {
            JudgeSpec::Cost { limit: number(name, value.unwrap_or("25"), 0.0, f64::INFINITY)? }
        }
        ("time_share", value) => JudgeSpec::TimeShare(time_share(value.unwrap_or_default())?),
        _ => return Err(unknown(text, false)),
    })
}

/// `LOW-HIGH`, two shares.
fn time_share(text: &str) -> Result<TimeShare, String> {
    let (low, high) = text
        .split_once('-')
        .ok_or_else(|| format!("`time_share` is `{text}`; expected shares such as 0.3-0.5"))?;
    let low = number("time_share", low.trim(), 0.0, 1.0)?;
    Ok(TimeShare { low, high: number("time_share", high.trim(), low, 1.0)? })
}

fn decorator(text: &str) -> Result<DecoratorSpec, String> {
    let (name, value) = split_value(text);
    let or = |default| value.unwrap_or(default);
    Ok(match name {
        "mistake" => DecoratorSpec::Mistake { rate: number(name, or("0.1"), 0.0, 1.0)? },
        "skip" => DecoratorSpec::Skip { threshold: number(name, or("0.1"), 0.0, f64::INFINITY)? },
        "equal" => DecoratorSpec::Equal { threshold: number(name, or("0.1"), 0.0, f64::INFINITY)? },
        "myopic" => DecoratorSpec::Myopic { discount: number(name, or("0.9"), f64::MIN_POSITIVE, 1.0)? },
        "labels" if value.is_none() => DecoratorSpec::Labels,
        _ => return Err(unknown(text, true)),
    })
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
    let hint = nearest.map_or_else(|| ";".to_string(), |n| format!(", did you mean `{n}`?"));
    format!("no {kind} `{text}`{hint} `spo oracles` lists them")
}
