//! Folders as they are found.

use serde_json::json;

use super::*;
use crate::task::Pooling;

fn folder(config: Value, others: &[(&str, Value)]) -> Descriptions {
    let others = others
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    [("config.json".to_owned(), config)]
        .into_iter()
        .chain(others)
        .collect()
}

fn made(descriptions: &Descriptions, task: Option<&str>) -> Result<Manifest> {
    let asked = asked(descriptions, task)?;
    let manifest = manifest("x", descriptions, "onnx/model.onnx", asked)?;
    bundle(&manifest)?;
    Ok(manifest)
}

#[test]
fn a_class_tells_the_task() {
    let labels = json!({ "0": "O", "1": "B-PER" });
    for (class, task, kind) in [
        (
            "DistilBertForSequenceClassification",
            "text-classification",
            TaskKind::Classify,
        ),
        (
            "BertForTokenClassification",
            "token-classification",
            TaskKind::TokenClassification,
        ),
        (
            "RobertaForQuestionAnswering",
            "question-answering",
            TaskKind::QuestionAnswering,
        ),
        ("BertForMaskedLM", "fill-mask", TaskKind::FillMask),
        (
            "BertModel",
            "feature-extraction",
            TaskKind::FeatureExtraction,
        ),
    ] {
        let config = json!({ "architectures": [class], "id2label": labels });
        let tokens = (
            "tokenizer_config.json",
            json!({ "mask_token": { "content": "[MASK]" } }),
        );
        let manifest = made(&folder(config, &[tokens]), None).unwrap();
        assert_eq!(manifest.tasks[task].kind, kind, "{class}");
    }
    let several = json!({
        "architectures": ["BertForSequenceClassification"], "id2label": labels,
        "problem_type": "multi_label_classification"
    });
    let manifest = made(&folder(several, &[]), None).unwrap();
    assert_eq!(
        manifest.tasks["text-classification"].kind,
        TaskKind::MultiLabel
    );
    let inference = json!({
        "architectures": ["BertForSequenceClassification"],
        "id2label": { "0": "entailment", "1": "not_entailment" }
    });
    let inference = folder(inference, &[]);
    let manifest = made(&inference, Some("zero-shot-classification")).unwrap();
    assert!(manifest.tasks.contains_key("zero-shot-classification"));
    let fault = made(&inference, Some("question-answering")).unwrap_err();
    assert_eq!(fault.code(), Code::InvalidOption);
    assert_eq!(
        made(&inference, Some("mood")).unwrap_err().code(),
        Code::InvalidOption
    );
}

#[test]
fn sentence_transformers_say_how_they_pool() {
    let config = json!({ "architectures": ["BertModel"], "max_position_embeddings": 512 });
    let modules = json!([
        { "type": "sentence_transformers.models.Transformer" },
        { "type": "sentence_transformers.models.Normalize" }
    ]);
    let pooling = |on: &str| json!({ "word_embedding_dimension": 384, on: true });
    let of = |on: &str| {
        let others = [
            ("modules.json", modules.clone()),
            ("1_Pooling/config.json", pooling(on)),
            (
                "sentence_bert_config.json",
                json!({ "max_seq_length": 128 }),
            ),
        ];
        made(&folder(config.clone(), &others), None)
    };
    let manifest = of("pooling_mode_mean_tokens").unwrap();
    let model = &manifest.models["feature-extraction"];
    assert_eq!(model.pooling, Some(Pooling::Mean));
    assert!(model.normalize);
    assert_eq!(model.max_tokens, Some(128));
    let fault = of("pooling_mode_weightedmean_tokens").unwrap_err();
    assert!(fault.to_string().contains("weightedmean"), "{fault}");
}

#[test]
fn what_cannot_be_told_is_refused_by_its_field() {
    let fault = |config: Value| made(&folder(config, &[]), None).unwrap_err().to_string();
    assert!(
        fault(
            json!({ "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": true })
        )
        .contains("is_encoder_decoder")
    );
    assert!(fault(json!({})).contains("architectures"));
    assert!(
        fault(json!({ "architectures": ["BertForNextSentencePrediction"] }))
            .contains("BertForNext")
    );
    let classes = json!(["BertForSequenceClassification"]);
    let with = |name: &str, value: Value| json!({ "architectures": classes, name: value });
    assert!(fault(with("problem_type", json!("regression"))).contains("problem_type"));
    assert!(fault(with("id2label", json!({ "1": "a", "2": "b" }))).contains("id2label"));
    assert!(fault(json!({ "architectures": ["BertForMaskedLM"] })).contains("mask_token"));
    assert_eq!(
        description("config.json", b"5").unwrap_err().code(),
        Code::NotABundle
    );
    assert_eq!(
        description("config.json", b"<html>").unwrap_err().code(),
        Code::NotABundle
    );
}

#[test]
fn lengths_are_the_least_that_anybody_states() {
    let of = |config: Value, tokens: Value| {
        let descriptions = folder(config, &[("tokenizer_config.json", tokens)]);
        Config::of(&descriptions).unwrap().max_tokens()
    };
    let roberta =
        json!({ "model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1 });
    assert_eq!(of(roberta, json!({ "model_max_length": 1e30 })), Some(512));
    let bert = json!({ "max_position_embeddings": 512 });
    assert_eq!(of(bert, json!({ "model_max_length": 256 })), Some(256));
    assert_eq!(of(json!({}), json!({})), None);
}

#[test]
fn a_class_of_two_kinds_is_for_sounds_where_a_rate_says_so() {
    let config =
        |class: &str| json!({ "architectures": [class], "id2label": { "0": "rain", "1": "wind" } });
    let waveform = json!({
        "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000,
        "do_normalize": true
    });
    let spectrogram = json!({
        "feature_extractor_type": "ASTFeatureExtractor", "feature_size": 1, "sampling_rate": 16000,
        "num_mel_bins": 128, "max_length": 1024, "mean": -4.27, "std": 4.57
    });
    let whisper =
        json!({ "feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 16000 });
    for (class, processor) in [
        ("Wav2Vec2ForSequenceClassification", &waveform),
        ("ASTForAudioClassification", &spectrogram),
        ("WhisperForAudioClassification", &whisper),
    ] {
        let others = [("preprocessor_config.json", processor.clone())];
        let manifest = made(&folder(config(class), &others), None).unwrap();
        let task = &manifest.tasks["audio-classification"];
        assert_eq!(
            (task.kind, task.input),
            (TaskKind::Classify, InputKind::Sound)
        );
        assert!(manifest.tokenizers.is_empty());
        let features = manifest.heads["audio-classification"].features.as_ref();
        assert!(matches!(features, Some(Features::Sound { .. })), "{class}");
    }
    let mut several = config("Wav2Vec2ForSequenceClassification");
    several["problem_type"] = json!("multi_label_classification");
    let others = [("preprocessor_config.json", waveform.clone())];
    let manifest = made(&folder(several, &others), None).unwrap();
    let task = &manifest.tasks["audio-classification"];
    assert_eq!(
        (task.kind, task.input),
        (TaskKind::MultiLabel, InputKind::Sound)
    );
    // The same class without a rate reads texts.
    let manifest = made(&folder(config("BertForSequenceClassification"), &[]), None).unwrap();
    assert!(manifest.tasks.contains_key("text-classification"));
    let fault = made(
        &folder(config("ASTForAudioClassification"), &[]),
        Some("audio-classification"),
    );
    let fault = fault.unwrap_err().to_string();
    assert!(fault.contains("preprocessor_config.json"), "{fault}");
    let mut odd = spectrogram;
    odd["hop"] = json!(3);
    let others = [("preprocessor_config.json", odd)];
    let fault = made(&folder(config("ASTForAudioClassification"), &others), None).unwrap_err();
    assert!(fault.to_string().contains("`hop` is not known"), "{fault}");
}

#[test]
fn a_voice_detector_is_one_by_name() {
    let custom = || folder(json!({ "model_type": "custom" }), &[]);
    let manifest = made(&custom(), Some("voice-activity-detection")).unwrap();
    let task = &manifest.tasks["voice-activity-detection"];
    assert_eq!(
        (task.kind, task.input),
        (TaskKind::VoiceActivityDetection, InputKind::Sound)
    );
    assert!(task.labels.is_empty() && task.limits.max_bytes > 1 << 30);
    assert_eq!(
        made(&custom(), None).unwrap_err().code(),
        Code::ModelInvalid
    );
    let bert = folder(json!({ "architectures": ["BertModel"] }), &[]);
    let fault = made(&bert, Some("voice-activity-detection")).unwrap_err();
    assert_eq!(fault.code(), Code::InvalidOption);
}
