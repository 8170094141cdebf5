//! `import` of a folder as Hugging Face's tools write it: its own files say what the model is, how texts become tokens, and what the
//! labels are called.

use anyhow::{Context, Result, bail};
use smallfirst::bundle::folder::{
    DESCRIPTIONS, Descriptions, Dtype, MAX_DESCRIPTION_BYTES, asked, description, manifest, weights,
};
use smallfirst::bundle::{ModelOutput, Recogniser, Tiers};
use smallfirst::engine::Model;
use smallfirst::task::{InputKind, TaskKind};

use crate::draft::BundleDraft;
use crate::folder::{check_name, open, read, read_most};
use crate::import::ImportArgs;
use crate::recogniser::read_recogniser;

/// Brings a folder's model into a bundle, under the name that is given or transformers' name of its task.
pub fn import(args: &ImportArgs) -> Result<()> {
    let folder = &args.model;
    let mut descriptions = Descriptions::new();
    for name in DESCRIPTIONS {
        let path = folder.join(name);
        if path.exists() {
            let bytes = read_most(&path, MAX_DESCRIPTION_BYTES)
                .with_context(|| path.display().to_string())?;
            descriptions.insert(name.to_owned(), description(name, &bytes)?);
        }
    }
    let asked =
        asked(&descriptions, args.task.as_deref()).with_context(|| folder.display().to_string())?;
    let paths = match weights(&descriptions)? {
        Some(stated) => vec![stated],
        None => Dtype::paths(args.dtype),
    };
    let Some(weights) = paths.iter().find(|path| folder.join(path).exists()) else {
        bail!("{} has none of {}", folder.display(), paths.join(", "));
    };
    let made = manifest("folder", &descriptions, weights, asked)?;
    let mut draft = BundleDraft::open_or_new(&args.out)?;
    let task = args.name.as_deref().unwrap_or(asked.task);
    check_name("the task", task)?;
    if draft.manifest.tasks.contains_key(task) {
        bail!(
            "{} has a task \"{task}\" already; give this one another --name, or import into another folder",
            args.out.display()
        );
    }
    // Each task's files lie in a folder of its own, so that several can be in a bundle.
    let moved = |path: &str| format!("{task}/{path}");
    let path = folder.join(weights);
    let model = read(&path).with_context(|| path.display().to_string())?;
    for name in Model::beside(weights, &model)? {
        let path = path.with_file_name(&name);
        let bytes = read(&path)
            .with_context(|| format!("{}, in which {weights} has weights", path.display()))?;
        let beside = std::path::Path::new(weights).with_file_name(&name);
        draft.put(&moved(&beside.to_string_lossy()), &bytes, &args.license)?;
    }
    draft.put(&moved(weights), &model, &args.license)?;
    for tokenizer in made.tokenizers.values() {
        let path = folder.join(&tokenizer.file);
        let bytes = read(&path).with_context(|| path.display().to_string())?;
        draft.put(&moved(&tokenizer.file), &bytes, &args.license)?;
    }
    for text in ["LICENSE", "NOTICE"] {
        if let Ok(bytes) = read(&folder.join(text)) {
            draft.write(&moved(text), &bytes)?;
        }
    }
    let mut models = made.models;
    for model in models.values_mut() {
        if let Some(ocr) = &mut model.ocr {
            let at = |path: &str| folder.join(path);
            let dictionary = ocr.recogniser.dictionary.as_deref().map(at);
            let reader = read_recogniser(&at(&ocr.recogniser.file), dictionary.as_deref())?;
            ocr.recogniser = Recogniser {
                height: ocr.recogniser.height,
                ..reader.put(&mut draft, task, &args.license)?
            };
        }
    }
    // In this bundle names are the task's.
    let renamed = |name: String| match name == asked.task {
        true => task.to_owned(),
        false => name,
    };
    let all = &mut draft.manifest;
    for mut tokenizer in made.tokenizers.into_values() {
        tokenizer.file = moved(&tokenizer.file);
        all.tokenizers.insert(task.to_owned(), tokenizer);
    }
    for (name, mut head) in made.heads {
        head.file = moved(&head.file);
        head.features = head.features.map(|features| features.with_tokenizer(task));
        if args.probabilities {
            head.output = ModelOutput::Probabilities;
        }
        all.heads.insert(renamed(name), head);
    }
    for (name, mut model) in models {
        model.file = moved(&model.file);
        model.features = model.features.with_tokenizer(task);
        if args.probabilities {
            if model.features.input() != InputKind::Sound {
                bail!("--probabilities is for models of one label, and for labels of sounds");
            }
            model.output = ModelOutput::Probabilities;
        }
        all.models.insert(renamed(name), model);
    }
    for (name, mut entry) in made.tasks {
        entry.tiers = entry.tiers.into_iter().map(renamed).collect();
        let name = renamed(name);
        // Of a folder, the title is its task's name.
        entry.title = renamed(entry.title);
        args.words.reword(&mut entry);
        all.tasks.insert(name, entry);
    }
    draft.save()?;
    // Loading it shows whether it runs here.
    let runtime = open(&args.out)?;
    let tasks = [task.to_owned()];
    pollster::block_on(runtime.preload(Some(&tasks), Tiers::All, || async { Ok(()) }))?;
    println!(
        "imported {} as the task \"{task}\" ({}), with the weights of {weights}",
        folder.display(),
        asked.kind.as_str()
    );
    if asked.kind == TaskKind::Classify {
        println!(
            "nothing is calibrated yet; next: smallfirst calibrate {} --task {task} --data <labelled rows>",
            args.out.display()
        );
    }
    Ok(())
}
