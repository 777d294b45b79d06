//! Options for a language model as oracle, shared by `spo train` and `spo oracle check`.

use spo::oracle::OracleSpec;

/// The model's address and name.
#[derive(clap::Args, Default)]
#[command(next_help_heading = "Language model (--oracle llm)")]
pub struct Model {
    /// Address of an OpenAI-compatible API, such as http://127.0.0.1:8000/v1. If the server needs a key, it is read from the
    /// environment variable OPENAI_API_KEY; --oracle 'llm(key_env=NAME)' names another variable
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The model's name on the server. There are more options in --oracle 'llm(…)'; docs/llm.md lists them
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

impl Model {
    /// The oracle with these options; without options it stays unchanged.
    pub fn join(&self, oracle: OracleSpec) -> anyhow::Result<OracleSpec> {
        if self.base_url.is_none() && self.model.is_none() {
            return Ok(oracle);
        }
        oracle
            .with_language_model(self.base_url.as_deref(), self.model.as_deref())
            .map_err(|why| anyhow::anyhow!("--base-url and --model need --oracle llm: {why}"))
    }
}
