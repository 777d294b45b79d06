//! Compiled models, one per task in each process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::MujocoError;
use super::native::{Model, Source};

/// The model of a task, compiled at the first call.
///
/// # Errors
/// [`MujocoError`] if the library or the model cannot be opened. A later call tries again.
pub(crate) fn model_of(task: &'static str, source: &Source) -> Result<Arc<Model>, MujocoError> {
    static MODELS: Mutex<Option<HashMap<&'static str, Arc<Model>>>> = Mutex::new(None);
    let mut models = MODELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let models = models.get_or_insert_default();
    if let Some(model) = models.get(task) {
        return Ok(model.clone());
    }
    let model = Arc::new(Model::compile(source)?);
    models.insert(task, model.clone());
    Ok(model)
}
