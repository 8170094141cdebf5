//! The TypeScript types of the npm package, generated from the Rust types: those that its users see, and those of what
//! crosses between the page, its worker and the module.

use serde::de::DeserializeOwned;
use ts_rs::{Config, TS};

use crate::runtime::options;
use crate::{bundle, monitor, neighbours, remote, route, task};

/// How a generated file begins.
const HEAD: &str =
    "// Generated from the Rust types by `UPDATE=1 cargo test --lib fresh`. Do not edit.\n\n";

/// One declaration with its documentation.
fn declared<T: TS>(config: &Config) -> String {
    let docs = T::docs().unwrap_or_default();
    format!("{docs}export {}\n", laid_out(&T::decl(config)))
}

/// An object type with a line for each field.
fn laid_out(declaration: &str) -> String {
    let Some(fields) = declaration.strip_suffix(", };") else {
        return declaration.to_owned();
    };
    let lines: Vec<String> = fields
        .lines()
        .map(|line| match line.trim_end() {
            line if line.ends_with('{') => line.to_owned(),
            line => format!(
                "  {}",
                line.strip_suffix(',')
                    .map_or(line.to_owned(), |field| format!("{field};"))
            ),
        })
        .collect();
    format!("{};\n}};", lines.join("\n"))
}

/// `pkg/src/types.ts` is what the types say. `UPDATE=1 cargo test` rewrites it.
#[test]
fn the_committed_typescript_types_are_fresh() {
    let config = Config::new();
    let declarations = [
        declared::<task::TaskKind>(&config),
        declared::<task::InputKind>(&config),
        declared::<route::Mode>(&config),
        declared::<task::RanOn>(&config),
        declared::<task::Reason>(&config),
        declared::<task::Outcome>(&config),
        declared::<task::Doubt>(&config),
        declared::<task::Label>(&config),
        declared::<task::LabelScore>(&config),
        declared::<task::Output>(&config),
        declared::<task::Attempt>(&config),
        declared::<task::Timing>(&config),
        declared::<task::Usage>(&config),
        declared::<task::Sent>(&config),
        declared::<task::GuaranteeKind>(&config),
        declared::<task::Loss>(&config),
        declared::<task::AnswerGuarantee>(&config),
        declared::<task::Learned>(&config),
        declared::<task::Audit>(&config),
        declared::<task::TextOutput>(&config),
        declared::<task::Pooling>(&config),
        declared::<task::kind::Aggregation>(&config),
        declared::<task::kind::Precision>(&config),
        declared::<task::kind::GivenLabel>(&config),
        declared::<task::kind::LabelsOutput>(&config),
        declared::<task::kind::Entity>(&config),
        declared::<task::kind::TokensOutput>(&config),
        declared::<task::kind::FoundAnswer>(&config),
        declared::<task::kind::QuestionOutput>(&config),
        declared::<task::kind::Filling>(&config),
        declared::<task::kind::MaskOutput>(&config),
        declared::<task::kind::VectorOutput>(&config),
        declared::<task::kind::BoundingBox>(&config),
        declared::<task::kind::FoundObject>(&config),
        declared::<task::kind::ObjectsOutput>(&config),
        declared::<task::kind::TextLine>(&config),
        declared::<task::kind::OcrOutput>(&config),
        declared::<task::kind::VoiceSegment>(&config),
        declared::<task::kind::VoiceOutput>(&config),
        declared::<task::kind::SpeechEvent>(&config),
        declared::<task::kind::RegressionOutput>(&config),
        declared::<task::kind::KindOutput>(&config),
        declared::<bundle::folder::Dtype>(&config),
        declared::<task::Answer>(&config).replace("type Answer<O>", "type Answer<O = Output>"),
        declared::<bundle::LanguageLimit>(&config),
        declared::<bundle::Limits>(&config),
        declared::<bundle::TierInfo>(&config),
        declared::<bundle::RiskInfo>(&config),
        declared::<bundle::Card>(&config),
        declared::<monitor::MonitorKind>(&config),
        declared::<monitor::Drift>(&config),
        declared::<bundle::AgainstRemoteInfo>(&config),
        declared::<bundle::TaskInfo>(&config),
        declared::<bundle::ProgressStatus>(&config),
        declared::<bundle::Progress>(&config),
        declared::<remote::ProviderKind>(&config),
        declared::<remote::Structured>(&config),
        declared::<remote::Price>(&config),
        declared::<remote::ProfileBin>(&config),
        declared::<remote::TaskProfile>(&config),
        declared::<remote::RemoteProfile>(&config),
        declared::<remote::Medium>(&config),
        declared::<remote::Endpoint>(&config),
        declared::<remote::Policy>(&config),
        declared::<remote::Budget>(&config),
        declared::<remote::Spent>(&config),
        declared::<remote::UsageReport>(&config),
        declared::<remote::AnswerCache>(&config),
        declared::<remote::PersonalData>(&config),
        declared::<remote::RedactOptions>(&config),
        declared::<remote::Egress>(&config),
        declared::<remote::EgressReport>(&config),
        declared::<remote::Role>(&config),
        declared::<remote::Message>(&config),
        declared::<remote::Attachment>(&config),
        declared::<remote::ConsentRequest>(&config),
        declared::<neighbours::LearnOptions>(&config),
        declared::<neighbours::LearnedTask>(&config),
        declared::<neighbours::LearnedExample>(&config),
        declared::<crate::search::SearchHit>(&config),
        declared::<crate::runtime::LabelRows>(&config),
        declared::<crate::runtime::RowsTold>(&config),
        declared::<crate::runtime::TrainingAccuracy>(&config),
        declared::<crate::runtime::TrainedCertificate>(&config),
        declared::<crate::runtime::TrainingReport>(&config),
        declared::<crate::runtime::TrainingOptions>(&config),
    ];
    let codes: Vec<String> = crate::Code::ALL
        .iter()
        .map(|c| format!("  | \"{c}\""))
        .collect();
    let fresh = format!(
        "{HEAD}{}\n\
         /**\n * The codes of errors that come from Rust.\n */\nexport type EngineCode =\n{};\n\n\
         /**\n * The most bytes of a manifest.\n */\nexport const MAX_MANIFEST_BYTES = {};\n\n\
         /**\n * The most bytes that a bundle's files may have together where nobody says.\n */\nexport const MAX_BUNDLE_BYTES = {};\n",
        declarations.join("\n"),
        codes.join("\n"),
        bundle::MAX_MANIFEST_BYTES,
        bundle::MAX_BUNDLE_BYTES
    );
    crate::fresh::check("pkg/src/types.ts", &fresh);
}

/// The names that a type reads, as it says itself when it is given another.
fn names<T: DeserializeOwned>() -> Vec<String> {
    let unknown = serde_json::json!({ "?": null });
    let said = T::deserialize(unknown).err().map(|e| e.to_string());
    let said = said.filter(|said| said.starts_with("unknown field `?`"));
    let said = said.expect("a type that refuses unknown fields");
    let quoted = said.split('`').skip(1).step_by(2).skip(1);
    quoted.map(str::to_owned).collect()
}

/// A list of names as TypeScript has it.
fn listed<T: DeserializeOwned>(what: &str) -> String {
    let names: Vec<String> = names::<T>().iter().map(|n| format!("\"{n}\"")).collect();
    format!("  {what}: [{}],\n", names.join(", "))
}

/// `pkg/src/wire.ts` is what the types say. `UPDATE=1 cargo test` rewrites it.
#[test]
fn the_committed_typescript_wire_types_are_fresh() {
    let config = Config::new();
    let declarations = [
        declared::<options::RuntimeOptions>(&config),
        declared::<options::FolderOptions>(&config),
        declared::<options::RunOptions>(&config),
        declared::<options::GenerateOptions>(&config),
        declared::<remote::RemoteOptions>(&config),
        declared::<remote::Privacy>(&config),
        declared::<remote::Consent>(&config),
        declared::<remote::PageRequest>(&config),
        declared::<remote::PageReply>(&config),
        declared::<crate::runtime::Adopted>(&config),
        declared::<crate::runtime::Adoption>(&config),
        declared::<crate::runtime::OnDrift>(&config),
    ]
    .join("\n");
    let keys = [
        listed::<options::RuntimeOptions>("runtime"),
        listed::<options::RunOptions>("run"),
        listed::<options::GenerateOptions>("generate"),
        listed::<remote::RemoteOptions>("remote"),
        listed::<remote::Endpoint>("endpoint"),
        listed::<remote::Privacy>("privacy"),
        listed::<remote::Consent>("consent"),
    ]
    .concat();
    let fresh = format!(
        "{HEAD}import type {{\n  Aggregation,\n  AnswerCache,\n  Attachment,\n  Attempt,\n  Audit,\n  Budget,\n  Dtype,\n  Egress,\n  Endpoint,\n  Label,\n  LearnOptions,\n  Message,\n  \
         Mode,\n  Policy,\n  Pooling,\n  Precision,\n  Reason,\n  RedactOptions,\n}} from \"./types.js\";\n\n\
         /**\n * An endpoint as the engine takes it, which has defaults for the rest.\n */\n\
         export type RuntimeEndpoint = Pick<Endpoint, \"provider\"> & Partial<Endpoint>;\n\n\
         {declarations}\n\
         /**\n * The names of the options that the engine reads. It refuses all others.\n */\n\
         export const OPTION_NAMES = {{\n{keys}}} as const;\n"
    );
    crate::fresh::check("pkg/src/wire.ts", &fresh);
}

#[test]
fn names_are_those_that_are_read() {
    assert_eq!(
        names::<remote::Price>(),
        ["inputPerMillion", "outputPerMillion"]
    );
}
