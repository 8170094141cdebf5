//! `import` of two ONNX files that find and read lines of text, as PaddleOCR exports them.

use anyhow::{Result, bail};
use smallfirst::bundle::folder::{MAX_IMAGE_BYTES, usual_detector};
use smallfirst::bundle::{Features, ModelOutput, Ocr, TaskModel, Tiers};
use smallfirst::task::{InputKind, TaskKind};

use crate::draft::BundleDraft;
use crate::folder::{check_name, open, read_model};
use crate::import::ImportArgs;
use crate::recogniser::read_recogniser;

/// Brings a detector and a recogniser into a bundle.
pub fn import(args: &ImportArgs) -> Result<()> {
    let Some(recogniser) = &args.recogniser else {
        bail!("--recogniser is missing: the model that reads a line");
    };
    let task = args.task.as_deref().unwrap_or("ocr");
    check_name("--task", task)?;
    let mut draft = BundleDraft::open_or_new(&args.out)?;
    if draft.manifest.tasks.contains_key(task) {
        bail!(
            "{} has a task \"{task}\" already; name another with --task",
            args.out.display()
        );
    }
    let reader = read_recogniser(recogniser, args.dictionary.as_deref())?;
    let detector = format!("{task}/detector.onnx");
    draft.put(&detector, &read_model(&args.model)?, &args.license)?;
    let model = TaskModel {
        output: ModelOutput::Logits,
        platt: None,
        file: detector,
        features: Features::Image {
            processor: usual_detector()?,
        },
        max_tokens: None,
        pooling: None,
        normalize: false,
        mask: None,
        boxes: None,
        ocr: Some(Ocr::new(reader.put(&mut draft, task, &args.license)?)),
    };
    draft.manifest.models.insert(task.to_owned(), model);
    let mut entry = args.words.entry(task, InputKind::Image, Vec::new());
    entry.kind = TaskKind::Ocr;
    entry.limits.max_bytes = MAX_IMAGE_BYTES;
    if args.words.instruction().is_none() {
        entry.instruction = "Read the text in the image.".to_owned();
    }
    draft.manifest.tasks.insert(task.to_owned(), entry);
    draft.save()?;
    // Loading it shows whether it runs here.
    let runtime = open(&args.out)?;
    let tasks = [task.to_owned()];
    pollster::block_on(runtime.preload(Some(&tasks), Tiers::All, || async { Ok(()) }))?;
    println!(
        "imported {} and {} as the task \"{task}\" (ocr)",
        args.model.display(),
        recogniser.display()
    );
    Ok(())
}
