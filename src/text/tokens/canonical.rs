//! A `tokenizer.json` of any version as the library reads it.

use serde_json::{Value, json};

/// How a file of the newest format begins, as [`canonical`] writes it.
pub(super) const CANONICAL: &str = "{\"version\":\"2.0\",";

/// Regular expressions are left out of the library, but for the pre-tokenizers that it knows: they are a tenth of the
/// WebAssembly module. This one is in every tokenizer that was made from a SentencePiece model, so it is rewritten.
const SPACES: &str = " {2,}";

/// Replacing that many spaces by one, in this order, leaves one of every run of up to 16 million: a step leaves k / n + k % n
/// of k spaces.
pub(super) const RUNS: [usize; 9] = [256, 256, 64, 16, 8, 4, 2, 2, 2];

/// What SentencePiece writes for a space.
pub(super) const METASPACE: &str = "\u{2581}";

/// Roles that a file gives to no token: the newest format has no place for what they say, and places need it. They are
/// kept among its roles, which are read as they are.
pub(super) const TRIMS: &str = "trim_offsets";
/// Whether a space is put before the text.
pub(super) const SPACED: &str = "add_prefix_space";
/// What a piece that goes on with a word begins with.
pub(super) const CONTINUES: &str = "continuing_subword_prefix";
/// What the last piece of a word ends with.
pub(super) const ENDS: &str = "end_of_word_suffix";
/// What stands for characters that the vocabulary has not. Without it these are left out.
pub(super) const UNKNOWN: &str = "unk_token";

/// A file in the newest format and without white space.
pub(super) fn canonical(json: &str) -> Result<String, tokenizers::ConvertError> {
    let mut value: Value = serde_json::from_str(json)?;
    unwrap_one(&mut value);
    let pre = &value["pre_tokenizer"];
    let alike = pre["type"] == "Metaspace" && pre["replacement"] == METASPACE;
    if let Some(normalizer) = value.get_mut("normalizer") {
        spell_out(normalizer, alike);
    }
    keep_roles(&mut value);
    put_space(&mut value);
    tokenizers::canonicalize_value(&mut value)?;
    if let Some(all) = value.as_object_mut() {
        all.remove("version");
    }
    // It is an object with a model, or it would not have been converted.
    let rest = serde_json::to_string(&value)?;
    Ok(format!("{CANONICAL}{}", rest.trim_start_matches('{')))
}

/// A sequence of one pre-tokenizer is that one, which the conversion knows only by itself.
fn unwrap_one(value: &mut Value) {
    let Some(pre) = value.get_mut("pre_tokenizer") else {
        return;
    };
    let members = pre.get_mut("pretokenizers").and_then(Value::as_array_mut);
    if let Some([one]) = members.map(Vec::as_mut_slice) {
        *pre = one.take();
    }
}

/// Notes what the conversion leaves out.
fn keep_roles(value: &mut Value) {
    let mut roles = Vec::new();
    let post = &value["post_processor"];
    let alone = std::slice::from_ref(post);
    let processors = post["processors"].as_array().map_or(alone, Vec::as_slice);
    let trims = |post: &&Value| {
        let kind = &post["type"];
        (kind == "ByteLevel" || kind == "RobertaProcessing") && post["trim_offsets"] == true
    };
    if let Some(post) = processors.iter().find(trims) {
        roles.push((TRIMS, String::new()));
        if post["add_prefix_space"] == true {
            roles.push((SPACED, String::new()));
        }
    }
    for role in [CONTINUES, ENDS, UNKNOWN] {
        let affix = value["model"][role].as_str().unwrap_or_default();
        if value["model"]["type"] == "BPE" && !affix.is_empty() {
            roles.push((role, affix.to_owned()));
        }
    }
    let Some(all) = value.as_object_mut().filter(|_| !roles.is_empty()) else {
        return;
    };
    let kept = all.entry("role_to_token").or_insert_with(|| json!({}));
    if let Some(kept) = kept.as_object_mut() {
        kept.extend(
            roles
                .into_iter()
                .map(|(role, what)| (role.to_owned(), what.into())),
        );
    }
}

/// Puts the space before a text where the file asks its pre-tokenizer for it, which the library does not do: as one more
/// step of normalisation that marks spaces by spaces.
fn put_space(value: &mut Value) {
    let Some(pre) = value.get_mut("pre_tokenizer") else {
        return;
    };
    if pre["type"] != "ByteLevel" || pre["add_prefix_space"] != true {
        return;
    }
    pre["add_prefix_space"] = false.into();
    let space = json!({"type": "MetaspaceNormalizer", "replacement": " ", "prepend": "always", "drop_whitespace": false});
    let steps = match value["normalizer"].take() {
        Value::Null => json!([space]),
        declared => json!([declared, space]),
    };
    value["normalizer"] = json!({"type": "Sequence", "normalizers": steps});
}

/// Makes replacements of [`SPACES`] plain ones. A metaspace will do for the space where all spaces are to become that
/// (`alike`).
fn spell_out(normalizer: &mut Value, alike: bool) {
    let content = normalizer["content"].as_str().unwrap_or_default();
    if normalizer["type"] == "Replace"
        && normalizer["pattern"]["Regex"] == SPACES
        && (content == " " || alike && content == METASPACE)
    {
        let steps = RUNS.map(
            |n| json!({"type": "Replace", "pattern": {"String": " ".repeat(n)}, "content": " "}),
        );
        *normalizer = json!({"type": "Sequence", "normalizers": steps});
    } else if let Some(steps) = one_by_one(normalizer) {
        *normalizer = json!({"type": "Sequence", "normalizers": steps});
    } else if let Some(parts) = normalizer
        .get_mut("normalizers")
        .and_then(Value::as_array_mut)
    {
        parts.iter_mut().for_each(|part| spell_out(part, alike));
    }
}

/// A replacement of each character of a set, or of each run of them, as one for each character.
#[cfg(feature = "expressions")]
fn one_by_one(normalizer: &Value) -> Option<Vec<Value>> {
    let expression = normalizer["pattern"]["Regex"].as_str()?;
    let content = normalizer["content"].as_str()?;
    let (set, repeated) = super::expression::alone(expression)?;
    let replace =
        |what: &str| json!({"type": "Replace", "pattern": {"String": what}, "content": content});
    let members: Vec<char> = ('\0'..=char::MAX)
        .filter(|&c| set.contains(c))
        .take(MOST_MEMBERS + 1)
        .collect();
    // What is put in must not be replaced again. One character may stay as it is.
    let alone = content.chars().count() == 1;
    let inside = content.chars().any(|c| set.contains(c));
    if normalizer["type"] != "Replace"
        || members.len() > MOST_MEMBERS
        || inside && !alone
        || repeated && !inside
    {
        return None;
    }
    let members = members.iter().map(char::to_string);
    let mut steps: Vec<Value> = members
        .filter(|member| member != content)
        .map(|member| replace(&member))
        .collect();
    if repeated {
        steps.extend(RUNS.map(|n| replace(&content.repeat(n))));
    }
    Some(steps)
}

#[cfg(not(feature = "expressions"))]
fn one_by_one(_: &Value) -> Option<Vec<Value>> {
    None
}

/// The most characters that are replaced one by one.
#[cfg(feature = "expressions")]
const MOST_MEMBERS: usize = 40;
