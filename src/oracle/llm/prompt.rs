//! The prompts: preamble, task, examples, question, and the words right before the answer (Lee et al. 2023,
//! "RLAIF vs. RLHF", section 2 and its appendix on prompts).

use super::template::Template;

/// A question to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question<'a> {
    /// Which of two trajectories is better, in this order; answered by 1 or 2.
    Compare(&'a str, &'a str),
    /// How good one trajectory is; answered by 1 to 10.
    Rate(&'a str),
}

/// A conversation so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// The text before all turns.
    pub system: String,
    /// The turns in order: ours, the model's, ours, …
    pub turns: Vec<String>,
}

/// Answers to a comparison.
pub const CHOICES: [&str; 2] = ["1", "2"];
/// Answers to a rating.
pub const SCORES: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];

const PREFERRED: &str = "Preferred trajectory=";
const SCORE: &str = "Score=";
const RATIONALE: &str = "Rationale:";

impl Question<'_> {
    /// The possible answers.
    pub fn answers(self) -> &'static [&'static str] {
        match self {
            Self::Compare(..) => &CHOICES,
            Self::Rate(_) => &SCORES,
        }
    }

    /// Asks for the answer directly.
    pub fn direct(self, template: &Template) -> Talk {
        let ask = format!("{}\n{}", self.shown(template, false), self.cue());
        Talk { system: template.preamble.clone(), turns: vec![ask] }
    }

    /// The first of two steps: asks for a rationale.
    pub fn rationale(self, template: &Template) -> Talk {
        let why = match self {
            Self::Compare(..) => "Explain in a few sentences which trajectory does the task better, and why.",
            Self::Rate(_) => "Explain in a few sentences how well the trajectory does the task, and why.",
        };
        let ask = format!("{}\n{why}\n{RATIONALE}", self.shown(template, true));
        Talk { system: template.preamble.clone(), turns: vec![ask] }
    }

    /// The second: asks for the answer, after the rationale that the model has given.
    pub fn after(self, template: &Template, rationale: &str) -> Talk {
        let mut talk = self.rationale(template);
        talk.turns.extend([format!(" {}", rationale.trim()), format!("\n\n{}", self.cue())]);
        talk
    }

    /// Task, examples, trajectories and question.
    fn shown(self, template: &Template, rationales: bool) -> String {
        let mut text = format!("Task: {}\n\n", template.task.trim());
        match self {
            Self::Compare(a, b) => {
                for (at, e) in template.exemplar.iter().enumerate() {
                    let both = two(e.a.trim(), e.b.trim());
                    text += &format!("Example {}\n{both}\n", at + 1);
                    if rationales && !e.rationale.is_empty() {
                        text += &format!("{RATIONALE} {}\n", e.rationale.trim());
                    }
                    text += &format!("{PREFERRED}{}\n\n", e.preferred);
                }
                text += &format!("{}\n{}", two(a, b), template.question.trim());
            }
            Self::Rate(a) => text += &format!("Trajectory:\n{a}\n\n{}", template.rating.trim()),
        }
        text
    }

    /// The words right before the answer.
    fn cue(self) -> String {
        match self {
            Self::Compare(..) => {
                format!("Answer with the number of the trajectory alone, 1 or 2.\n{PREFERRED}")
            }
            Self::Rate(_) => format!("Answer with the score alone, a whole number from 1 to 10.\n{SCORE}"),
        }
    }
}

fn two(a: &str, b: &str) -> String {
    format!("Trajectory 1:\n{a}\n\nTrajectory 2:\n{b}\n")
}

#[cfg(test)]
mod tests {
    use super::super::template::Exemplar;
    use super::*;

    fn template() -> Template {
        let e =
            Exemplar { a: "- x: 5".into(), b: "- x: 3".into(), preferred: 1, rationale: "5 is more.".into() };
        Template {
            preamble: "Judge.".into(),
            task: "Make x large.".into(),
            question: "Which?".into(),
            rating: "How good?".into(),
            exemplar: vec![e],
            ..Template::default()
        }
    }

    #[test]
    fn a_comparison_word_by_word() {
        let talk = Question::Compare("- x: 1", "- x: 2").direct(&template());
        assert_eq!(talk.system, "Judge.");
        assert_eq!(
            talk.turns,
            [
                "Task: Make x large.\n\nExample 1\nTrajectory 1:\n- x: 5\n\nTrajectory 2:\n- x: 3\n\nPreferred trajectory=1\n\n\
              Trajectory 1:\n- x: 1\n\nTrajectory 2:\n- x: 2\n\nWhich?\nAnswer with the number of the trajectory alone, \
              1 or 2.\nPreferred trajectory="
            ]
        );
    }

    #[test]
    fn a_chain_of_thought_in_two_steps() {
        let question = Question::Compare("- x: 1", "- x: 2");
        let first = question.rationale(&template());
        assert!(first.turns[0].contains("Rationale: 5 is more.\nPreferred trajectory=1"));
        assert!(first.turns[0].ends_with(
            "Which?\nExplain in a few sentences which trajectory does the task better, and why.\nRationale:"
        ));
        let second = question.after(&template(), " 2 is more. ");
        assert_eq!(second.turns[0], first.turns[0]);
        assert_eq!(second.turns[1], " 2 is more.");
        assert!(
            second.turns[2].starts_with("\n\nAnswer") && second.turns[2].ends_with("Preferred trajectory=")
        );
    }

    #[test]
    fn a_rating() {
        let talk = Question::Rate("- x: 1").direct(&template());
        assert_eq!(
            talk.turns,
            [
                "Task: Make x large.\n\nTrajectory:\n- x: 1\n\nHow good?\nAnswer with the score alone, a whole number from 1 \
              to 10.\nScore="
            ]
        );
        assert_eq!((Question::Rate("").answers().len(), Question::Compare("", "").answers().len()), (10, 2));
    }
}
