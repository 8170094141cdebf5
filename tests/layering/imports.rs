//! Which file of a crate imports from which, as the paths in its code say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// A module, by its path from the crate's root.
pub type Module = Vec<String>;

/// The files of a crate that are its modules, and what each imports from.
pub struct Imports {
    pub edges: BTreeMap<Module, BTreeSet<Module>>,
}

/// What one file says.
#[derive(Default)]
struct File {
    /// What names stand for: `use` declarations, public or not.
    names: BTreeMap<String, Vec<String>>,
    /// The paths in its code, and in declarations that are not public: what is handed on is used by whoever asks for it.
    paths: BTreeSet<Vec<String>>,
}

impl Imports {
    /// Of the crate whose root is `root`, with modules in files under `folder`.
    pub fn of(root: &Path, folder: &Path, leaves_out: &[&str]) -> Imports {
        let mut files = BTreeMap::new();
        files.insert(Vec::new(), file(root));
        modules(folder, &Vec::new(), root, leaves_out, &mut files);
        let known: BTreeSet<Module> = files.keys().cloned().collect();
        let mut edges = BTreeMap::new();
        for (module, file) in &files {
            // The root's only work is to name the others.
            if module.is_empty() {
                continue;
            }
            let to = file.paths.iter().filter_map(|path| {
                let path = absolute(module, path, &known, &file.names)?;
                resolve(&files, path, 0)
            });
            let to = to.filter(|other| other != module && !other.is_empty());
            edges.insert(module.clone(), to.collect());
        }
        Imports { edges }
    }

    /// The groups of files that import from each other in a circle.
    pub fn circles(&self) -> Vec<Vec<Module>> {
        let reach = |from: &Module| {
            let mut seen = BTreeSet::new();
            let mut next = vec![from];
            while let Some(module) = next.pop() {
                for other in self.edges.get(module).into_iter().flatten() {
                    if seen.insert(other.clone()) {
                        next.push(other);
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<Module>> =
            self.edges.keys().map(|m| (m, reach(m))).collect();
        let mut circles = BTreeSet::new();
        for (module, all) in &reached {
            let back = |other: &&Module| reached.get(*other).is_some_and(|r| r.contains(*module));
            let mut circle: Vec<Module> = all.iter().filter(back).cloned().collect();
            if circle.len() > 1 {
                circle.sort();
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

/// The modules in files under a folder, tests left out.
fn modules(
    folder: &Path,
    above: &Module,
    root: &Path,
    leaves_out: &[&str],
    found: &mut BTreeMap<Module, File>,
) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut module = above.clone();
        module.push(name.clone());
        if path == root || name == "tests" || leaves_out.contains(&module.join("/").as_str()) {
            continue;
        }
        if path.is_dir() {
            modules(&path, &module, root, leaves_out, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.insert(module, file(&path));
        }
    }
}

fn file(path: &Path) -> File {
    let text = fs::read_to_string(path).unwrap();
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut file = File::default();
    for item in &parsed.items {
        let (attributes, tree, public) = match item {
            Item::Use(item) => {
                let public = !matches!(item.vis, syn::Visibility::Inherited);
                (&item.attrs, &item.tree, public)
            }
            _ => continue,
        };
        if is_test(attributes) {
            continue;
        }
        let mut paths = Vec::new();
        flatten(tree, Vec::new(), &mut paths);
        for (name, path) in paths {
            file.names.insert(name, path.clone());
            if !public {
                file.paths.insert(path);
            }
        }
    }
    let mut code = Code(&mut file.paths);
    code.visit_file(&parsed);
    file
}

/// Whether something is there for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// The paths of a declaration, with the names that they get.
fn flatten(tree: &UseTree, mut before: Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before.clone(), found);
            }
        }
        UseTree::Name(name) if name.ident == "self" => {
            let name = before.last().cloned().unwrap_or_default();
            found.push((name, before));
        }
        UseTree::Name(name) => {
            before.push(name.ident.to_string());
            found.push((name.ident.to_string(), before));
        }
        UseTree::Rename(rename) => {
            before.push(rename.ident.to_string());
            found.push((rename.rename.to_string(), before));
        }
        UseTree::Glob(_) => found.push(("*".into(), before)),
    }
}

/// Gathers the paths of code.
struct Code<'a>(&'a mut BTreeSet<Vec<String>>);

impl Code<'_> {
    fn add(&mut self, path: Vec<String>) {
        // One name alone is a variable, or one that a `use` declared.
        if path.len() > 1 {
            self.0.insert(path);
        }
    }

    /// What macros are given is not parsed, so its tokens are looked through.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.add(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.add(path);
    }
}

impl<'ast> Visit<'ast> for Code<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(_) => return,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    /// `pub(in crate::…)` says who may see something, not what it is made of.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|s| s.ident.to_string());
        self.add(segments.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        self.tokens(invoked.tokens.clone());
    }
}

/// A path from the crate's root; nothing for one that leads out of the crate.
fn absolute(
    module: &Module,
    path: &[String],
    known: &BTreeSet<Module>,
    names: &BTreeMap<String, Vec<String>>,
) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut from = module.clone();
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => {
            from.extend(rest.iter().cloned());
            Some(from)
        }
        "super" => {
            from.pop();
            let mut path = vec!["self".to_owned()];
            path.extend(rest.iter().cloned());
            if rest.first().is_some_and(|next| next == "super") {
                path.remove(0);
            }
            absolute(&from, &path, known, &BTreeMap::new())
        }
        name => {
            let child: Vec<String> = from.iter().cloned().chain([name.to_owned()]).collect();
            if known.contains(&child) {
                from.extend(path.iter().cloned());
                return Some(from);
            }
            let meant = names
                .get(name)
                .filter(|meant| meant.first() != Some(first))?;
            let meant = absolute(module, meant, known, &BTreeMap::new())?;
            Some(meant.into_iter().chain(rest.iter().cloned()).collect())
        }
    }
}

/// The module that a path leads to, through what modules hand on from others.
fn resolve(files: &BTreeMap<Module, File>, path: Vec<String>, depth: usize) -> Option<Module> {
    let known = files.keys().cloned().collect();
    let length = (0..=path.len())
        .rev()
        .find(|&n| files.contains_key(&path[..n]))?;
    let (module, rest) = (path[..length].to_vec(), &path[length..]);
    let handed_on = rest.first().and_then(|name| files[&module].names.get(name));
    match handed_on {
        Some(other) if depth < 8 => {
            // What does not lead back into the crate is another crate's.
            let other = absolute(&module, other, &known, &BTreeMap::new())?;
            let rest = rest.iter().skip(1).cloned();
            resolve(files, other.into_iter().chain(rest).collect(), depth + 1)
        }
        _ => Some(module),
    }
}
