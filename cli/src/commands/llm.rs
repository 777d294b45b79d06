//! What `spo train` and `spo oracle check` share of a language model as oracle.

use spo::oracle::OracleSpec;

/// Where it is, and what it is called there.
#[derive(clap::Args, Default)]
#[command(next_help_heading = "Language model (--oracle llm)")]
pub struct Model {
    /// Address of its OpenAI-compatible interface, such as http://127.0.0.1:8000/v1. The key is read from the variable
    /// OPENAI_API_KEY, if the server wants one; key_env=NAME in --oracle 'llm(key_env=NAME)' names another
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The model, as the server names it. More options stand in --oracle 'llm(…)'; docs/llm.md lists them
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

impl Model {
    /// The oracle with these set; as it is, where none is given.
    pub fn join(&self, oracle: OracleSpec) -> anyhow::Result<OracleSpec> {
        if self.base_url.is_none() && self.model.is_none() {
            return Ok(oracle);
        }
        oracle.with_language_model(self.base_url.as_deref(), self.model.as_deref()).map_err(|why| {
            anyhow::anyhow!("--base-url and --model are for a language model, --oracle llm: {why}")
        })
    }
}
