//! The oracle: it turns trajectories into questions, and replies into answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rand::Rng;
use spo_envs::Spec;

use super::answer::{probabilities, rescaled};
use super::api::{self, Purpose};
use super::client::{Client, Failure};
use super::options::Options;
use super::prompt::{Question, Talk};
use super::summary::describe;
use super::template::Template;
use crate::oracle::events::OracleEvents;
use crate::oracle::exec::Batch;
use crate::oracle::{Answer, Oracle, OracleError, Pair, Rater};
use crate::rollout::Trajectory;

/// After so many unclear replies in a row, the model is taken to be unable to judge.
const MOST_UNCLEAR: u64 = 10;

/// A language model as oracle.
pub struct Llm {
    options: Options,
    events: OracleEvents,
    ready: Option<Ready>,
    unclear_in_a_row: u64,
}

/// What is needed to ask.
struct Ready {
    task: Spec,
    template: Template,
    client: Client,
}

/// Why a question has no answer.
enum Trouble {
    /// The model replied, but not with one of the answers.
    Unclear(String),
    /// The server gave no reply.
    Unanswered(String),
    /// No question can be answered.
    Fatal(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unanswered(why) => Self::Unanswered(why),
            Failure::Fatal(why) => Self::Fatal(why),
        }
    }
}

impl Llm {
    /// A model with its options. Nothing is sent before the first question.
    pub fn new(options: Options) -> Self {
        Self { options, events: OracleEvents::default(), ready: None, unclear_in_a_row: 0 }
    }

    fn failed(&self, why: String) -> OracleError {
        OracleError::Model { model: self.options.model.clone(), base_url: self.options.base_url.clone(), why }
    }

    fn ready(&self) -> Result<&Ready, OracleError> {
        let why = "was asked before it was prepared for a task; call `Oracle::prepare` first";
        self.ready.as_ref().ok_or_else(|| self.failed(why.into()))
    }

    /// Probabilities of the answers to each question, asked from several threads. `None` if there is no answer, which is
    /// counted as an event.
    fn ask(&mut self, questions: &[Question<'_>]) -> Result<Vec<Option<Vec<f64>>>, OracleError> {
        let ready = self.ready()?;
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(Vec::with_capacity(questions.len()));
        std::thread::scope(|scope| {
            for _ in 0..self.options.concurrency.min(questions.len()) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(&question) = questions.get(at) else { return };
                        let answer = self.answer(ready, question);
                        answers.lock().unwrap_or_else(PoisonError::into_inner).push((at, answer));
                    }
                });
            }
        });
        let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        answers.sort_by_key(|(at, _)| *at);
        let mut settled = Vec::with_capacity(answers.len());
        let (mut unclear, mut latest) = (0, None);
        for (_, answer) in answers {
            settled.push(match answer {
                Ok(probabilities) => Some(probabilities),
                Err(Trouble::Fatal(why)) => return Err(self.failed(why)),
                Err(Trouble::Unanswered(why)) => {
                    self.events.add("unanswered", &why);
                    latest = Some(why);
                    None
                }
                Err(Trouble::Unclear(why)) => {
                    self.events.add("unclear", &why);
                    unclear += 1;
                    latest = Some(why);
                    None
                }
            });
        }
        let Some(why) = latest.filter(|_| settled.iter().all(Option::is_none)) else {
            self.unclear_in_a_row = 0;
            return Ok(settled);
        };
        self.unclear_in_a_row += unclear;
        if unclear < settled.len() as u64 || self.unclear_in_a_row >= MOST_UNCLEAR {
            return Err(self.failed(format!(
                "gave no answer to any of {} questions; the last time it {why}. Correct the server or the options, then \
                 continue with --resume: replies so far are kept, and only questions without one are asked again",
                settled.len()
            )));
        }
        Ok(settled)
    }

    /// Asks one question, in one request or, with a chain of thought, in two.
    fn answer(&self, ready: &Ready, question: Question<'_>) -> Result<Vec<f64>, Trouble> {
        let Options { api, model, cot, logprobs, .. } = &self.options;
        let say =
            |talk: &Talk, purpose| ready.client.say(&api::body(*api, model, talk, purpose, &ready.template));
        let talk = if *cot {
            let rationale = say(&question.rationale(&ready.template), Purpose::Rationale)?;
            question.after(&ready.template, &rationale.text)
        } else {
            question.direct(&ready.template)
        };
        let said = say(&talk, Purpose::Answer { logprobs: *logprobs })?;
        let Some((probabilities, soft)) = probabilities(&said, question.answers()) else {
            let answers = question.answers();
            let text: String = said.text.chars().take(80).flat_map(char::escape_debug).collect();
            return Err(Trouble::Unclear(format!(
                "said `{text}`, but was asked for a number from {} to {} alone",
                answers[0],
                answers[answers.len() - 1]
            )));
        };
        if *logprobs && !soft {
            self.events.count("answers without log-probabilities", 1);
        }
        Ok(probabilities)
    }

    /// The description of each trajectory.
    fn described(&self, trajectories: &[Trajectory<'_>]) -> Result<Vec<String>, OracleError> {
        let Ready { task, template, .. } = self.ready()?;
        Ok(trajectories.iter().map(|&t| describe(t, &template.summary, task.dt)).collect())
    }
}

/// Distinct questions, and the index of each.
#[derive(Default)]
struct Asked<'a> {
    questions: Vec<Question<'a>>,
    places: HashMap<Question<'a>, usize>,
}

impl<'a> Asked<'a> {
    fn place(&mut self, question: Question<'a>) -> usize {
        *self.places.entry(question).or_insert_with(|| {
            self.questions.push(question);
            self.questions.len() - 1
        })
    }
}

impl Oracle for Llm {
    /// Reads the template and the key, and opens the cache.
    fn prepare(&mut self, task: &Spec, events: &OracleEvents) -> Result<(), OracleError> {
        events.take_over(&self.events);
        self.events = events.clone();
        let template = Template::load(self.options.template.as_deref(), task).map_err(|e| self.failed(e))?;
        let client = Client::new(&self.options, events.clone()).map_err(|e| self.failed(e))?;
        self.ready = Some(Ready { task: task.clone(), template, client });
        Ok(())
    }

    /// P(a ≻ b) = ½ (P₁(a, b) + 1 − P₁(b, a)), with P₁ the probability of the first place, so that a bias towards one place
    /// cancels out. With one order only, P(a ≻ b) = P₁(a, b). Trajectories with the same description tie and are not
    /// asked about: both orders would give a tie.
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let table = Batch::new(pairs.iter().copied());
        let texts = self.described(&table.trajectories)?;
        let mut asked = Asked::default();
        let both = self.options.both_orders;
        let places: Vec<Option<(usize, Option<usize>)>> = (table.pairs.iter())
            .map(|&(a, b)| {
                let (a, b) = (texts[a].as_str(), texts[b].as_str());
                let mut place = |first, second| asked.place(Question::Compare(first, second));
                (a != b).then(|| (place(a, b), both.then(|| place(b, a))))
            })
            .collect();
        let answers = self.ask(&asked.questions)?;
        let first = |place: usize| answers[place].as_ref().map(|p| p[0]);
        let preference = |(ab, ba): (usize, Option<usize>)| match ba {
            Some(ba) => Some(0.5 * (first(ab)? + 1.0 - first(ba)?)),
            None => first(ab),
        };
        Ok(places
            .into_iter()
            .map(|orders| match orders.map(preference) {
                None => Answer::Prefer(0.5),
                Some(Some(p)) => Answer::Prefer(p as f32),
                Some(None) => Answer::Abstain,
            })
            .collect())
    }

    fn rater(&mut self) -> Option<&mut dyn Rater> {
        Some(self)
    }
}

impl Rater for Llm {
    fn rate(&mut self, trajectories: &[Trajectory<'_>]) -> Result<Vec<Option<f32>>, OracleError> {
        let texts = self.described(trajectories)?;
        let mut asked = Asked::default();
        let places: Vec<usize> = texts.iter().map(|text| asked.place(Question::Rate(text))).collect();
        let answers = self.ask(&asked.questions)?;
        Ok(places.into_iter().map(|at| answers[at].as_ref().map(|p| rescaled(p) as f32)).collect())
    }
}
