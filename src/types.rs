//! The TypeScript types of the npm package, generated from the Rust types.

use ts_rs::{Config, TS};

use crate::{bundle, monitor, neighbours, remote, route, task};

/// One declaration with its documentation.
fn declared<T: TS>(config: &Config) -> String {
    format!(
        "{}export {}\n",
        T::docs().unwrap_or_default(),
        T::decl(config)
    )
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
        declared::<task::Label>(&config),
        declared::<task::LabelScore>(&config),
        declared::<task::Output>(&config),
        declared::<task::Attempt>(&config),
        declared::<task::Timing>(&config),
        declared::<task::Usage>(&config),
        declared::<task::Sent>(&config),
        declared::<task::Learned>(&config),
        declared::<task::TextOutput>(&config),
        declared::<task::Answer>(&config).replace("type Answer<O>", "type Answer<O = Output>"),
        declared::<bundle::LanguageLimit>(&config),
        declared::<bundle::Limits>(&config),
        declared::<bundle::TierInfo>(&config),
        declared::<bundle::RiskInfo>(&config),
        declared::<bundle::Card>(&config),
        declared::<monitor::MonitorKind>(&config),
        declared::<monitor::Drift>(&config),
        declared::<bundle::TaskInfo>(&config),
        declared::<bundle::ProgressStatus>(&config),
        declared::<bundle::Progress>(&config),
        declared::<remote::ProviderKind>(&config),
        declared::<remote::Structured>(&config),
        declared::<remote::Price>(&config),
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
        declared::<remote::ConsentRequest>(&config),
        declared::<neighbours::LearnOptions>(&config),
        declared::<neighbours::LearnedTask>(&config),
        declared::<neighbours::LearnedExample>(&config),
    ];
    let codes: Vec<String> = crate::Code::ALL
        .iter()
        .map(|c| format!("  | \"{c}\""))
        .collect();
    let fresh = format!(
        "// Generated from the Rust types by `UPDATE=1 cargo test --lib fresh`. Do not edit.\n\n{}\n\
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
