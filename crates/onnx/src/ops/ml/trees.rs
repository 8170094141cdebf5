//! Ensembles of trees: their nodes, and what the leaves that a row comes to say together.

use std::collections::HashMap;
use std::ops::Range;

use super::scores::{Labels, Transform};
use super::votes::{self, Classes};
use super::{Rows, widened};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, count};

/// How a node compares a feature with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
    /// Whether it is in a set.
    Member,
    Leaf,
}

impl Mode {
    fn of(name: &str) -> Result<Mode> {
        Ok(match name {
            "BRANCH_LEQ" => Mode::Leq,
            "BRANCH_LT" => Mode::Lt,
            "BRANCH_GTE" => Mode::Gte,
            "BRANCH_GT" => Mode::Gt,
            "BRANCH_EQ" => Mode::Eq,
            "BRANCH_NEQ" => Mode::Neq,
            "LEAF" => Mode::Leaf,
            other => return fault(format!("the mode {other} of its nodes is not supported")),
        })
    }

    fn of_code(code: u8) -> Result<Mode> {
        use Mode::{Eq, Gt, Gte, Leq, Lt, Member, Neq};
        let all = [Leq, Lt, Gte, Gt, Eq, Neq, Member];
        match all.get(usize::from(code)) {
            Some(mode) => Ok(*mode),
            None => fault(format!("the mode {code} of its nodes is not supported")),
        }
    }
}

struct Node {
    mode: Mode,
    /// Whether a missing value goes on as if the comparison were true.
    missing: bool,
    feature: usize,
    /// Of a node that asks for membership, the number of its set.
    threshold: f64,
    /// The next node when the comparison is true, and when it is false; of a leaf, where its votes begin and end.
    next: [usize; 2],
}

/// A vote of a leaf: for which target, and how much.
type Vote = (usize, f64);

/// How the votes for a target are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    Average,
    Sum,
    Min,
    Max,
}

pub(super) struct Forest {
    nodes: Vec<Node>,
    votes: Vec<Vote>,
    sets: Vec<Vec<f64>>,
    roots: Vec<usize>,
    targets: usize,
    /// How many features a row must have.
    features: usize,
    /// The most nodes that a row passes and votes that it is given, in all trees.
    longest: u64,
}

impl Forest {
    fn new(
        nodes: Vec<Node>,
        votes: Vec<Vote>,
        sets: Vec<Vec<f64>>,
        roots: Vec<usize>,
        targets: usize,
    ) -> Result<Forest> {
        if votes.iter().any(|(target, _)| *target >= targets) {
            return fault(format!(
                "a leaf votes for a target that is none of {targets}"
            ));
        }
        let inner = nodes.iter().filter(|node| node.mode != Mode::Leaf);
        let features = inner.map(|node| node.feature + 1).max().unwrap_or(0);
        let longest = longest(&nodes, &roots)?;
        Ok(Forest {
            nodes,
            votes,
            sets,
            roots,
            targets,
            features,
            longest,
        })
    }

    /// The votes of the leaf that a row comes to.
    fn leaf(&self, root: usize, row: &[f64]) -> &[Vote] {
        let mut at = root;
        loop {
            let node = &self.nodes[at];
            if node.mode == Mode::Leaf {
                return &self.votes[node.next[0]..node.next[1]];
            }
            let x = row[node.feature];
            let yes = match node.mode {
                _ if x.is_nan() => node.missing,
                Mode::Leq => x <= node.threshold,
                Mode::Lt => x < node.threshold,
                Mode::Gte => x >= node.threshold,
                Mode::Gt => x > node.threshold,
                Mode::Eq => x == node.threshold,
                Mode::Neq => x != node.threshold,
                Mode::Member => {
                    let set = &self.sets[node.threshold as usize];
                    set.binary_search_by(|v| v.total_cmp(&(x + 0.0))).is_ok()
                }
                Mode::Leaf => false,
            };
            at = node.next[usize::from(!yes)];
        }
    }

    fn check(&self, x: &Rows<'_>, context: &mut Context) -> Result<()> {
        if x.features < self.features {
            return fault(format!(
                "its trees look at {} features, and {} are given",
                self.features, x.features
            ));
        }
        count(&[x.count, self.targets])?;
        context.spend((x.count as u64).saturating_mul(self.longest))
    }

    /// What all trees say of some rows: for each of them and each target, and whether any leaf voted for it at all. One tree after
    /// another, so that its nodes are in the cache for all of the rows.
    fn run(&self, x: &Rows<'_>, rows: Range<usize>, together: Together, said: &mut Said) {
        let len = rows.len() * self.targets;
        said.scores.clear();
        said.scores.resize(len, 0.0);
        said.voted.clear();
        said.voted.resize(len, false);
        for &root in &self.roots {
            for (at, row) in rows.clone().enumerate() {
                for &(target, weight) in self.leaf(root, x.row(row)) {
                    let place = at * self.targets + target;
                    let score = &mut said.scores[place];
                    *score = match together {
                        Together::Sum | Together::Average => *score + weight,
                        Together::Min if said.voted[place] => score.min(weight),
                        Together::Max if said.voted[place] => score.max(weight),
                        _ => weight,
                    };
                    said.voted[place] = true;
                }
            }
        }
        if together == Together::Average {
            let trees = self.roots.len() as f64;
            said.scores.iter_mut().for_each(|s| *s /= trees);
        }
    }

    /// The rows that [`Forest::run`] looks at together.
    fn blocks(count: usize) -> impl Iterator<Item = Range<usize>> {
        const ROWS: usize = 64;
        (0..count)
            .step_by(ROWS)
            .map(move |start| start..count.min(start + ROWS))
    }
}

/// What trees say of some rows.
#[derive(Default)]
struct Said {
    scores: Vec<f64>,
    voted: Vec<bool>,
}

/// The most nodes and votes on the ways through all trees. Ways that lead back to where they were are refused: a row would never arrive.
fn longest(nodes: &[Node], roots: &[usize]) -> Result<u64> {
    const UNSEEN: u64 = 0;
    const OPEN: u64 = u64::MAX;
    let mut depth = vec![UNSEEN; nodes.len()];
    let mut sum = 0u64;
    for &root in roots {
        let mut open = vec![root];
        while let Some(&at) = open.last() {
            let Some(node) = nodes.get(at) else {
                return fault("its trees lead to nodes that they do not have");
            };
            if node.mode == Mode::Leaf {
                depth[at] = 1 + (node.next[1] - node.next[0]) as u64;
                open.pop();
                continue;
            }
            let state = depth[at];
            if state != UNSEEN && state != OPEN {
                open.pop();
                continue;
            }
            depth[at] = OPEN;
            let mut below = 0;
            let mut ready = true;
            for &next in &node.next {
                match depth.get(next) {
                    None => return fault("its trees lead to nodes that they do not have"),
                    Some(&UNSEEN) => {
                        open.push(next);
                        ready = false;
                    }
                    Some(&OPEN) => return fault("its trees lead back to where they were"),
                    Some(&known) => below = below.max(known),
                }
            }
            if ready {
                depth[at] = below + 1;
                open.pop();
            }
        }
        sum = sum.saturating_add(depth[root]);
    }
    // A tree of its own without a root leads round in a circle.
    if nodes
        .iter()
        .zip(&depth)
        .any(|(node, d)| node.mode != Mode::Leaf && *d == UNSEEN)
    {
        return fault("its trees have nodes that nothing leads to");
    }
    Ok(sum)
}

fn places(ints: Option<Vec<i64>>, what: &str) -> Result<Vec<usize>> {
    let ints = ints.unwrap_or_default().into_iter();
    ints.map(|at| usize::try_from(at).map_err(|_| format!("its {what} are not places").into()))
        .collect()
}

/// Floats, or doubles in a tensor of the same name.
fn floats(decl: &Decl<'_>, name: &str) -> Result<Vec<f64>> {
    let plain = decl.floats(name)?.filter(|v| !v.is_empty());
    let tensor = match decl.version {
        3.. => decl.tensor(&format!("{name}_as_tensor"))?,
        _ => None,
    };
    match (plain, tensor) {
        (Some(_), Some(_)) => fault(format!("its {name} are given twice")),
        (Some(plain), None) => Ok(widened(plain)),
        (None, Some(tensor)) => Ok(super::wide(&tensor)?.into_owned()),
        (None, None) => Ok(Vec::new()),
    }
}

/// The trees of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: `votes` is how their leaves' attributes begin.
fn forest(decl: &Decl<'_>, votes: &str, targets: usize) -> Result<Forest> {
    let trees = decl.ints("nodes_treeids")?.unwrap_or_default();
    let ids = decl.ints("nodes_nodeids")?.unwrap_or_default();
    let features = places(decl.ints("nodes_featureids")?, "nodes_featureids")?;
    let values = floats(decl, "nodes_values")?;
    let modes = decl.texts("nodes_modes")?.unwrap_or_default();
    let yes = decl.ints("nodes_truenodeids")?.unwrap_or_default();
    let no = decl.ints("nodes_falsenodeids")?.unwrap_or_default();
    let missing = decl
        .ints("nodes_missing_value_tracks_true")?
        .unwrap_or_default();
    decl.unused("nodes_hitrates");
    decl.unused("nodes_hitrates_as_tensor");
    let all = trees.len();
    let lengths = [
        ids.len(),
        features.len(),
        values.len(),
        modes.len(),
        yes.len(),
        no.len(),
    ];
    if lengths.iter().any(|&n| n != all) || (!missing.is_empty() && missing.len() != all) {
        return fault("its attributes of nodes are not of one length");
    }
    let mut at = HashMap::new();
    for (place, name) in trees.iter().copied().zip(ids.iter().copied()).enumerate() {
        if at.insert(name, place).is_some() {
            return fault(format!(
                "two of its nodes are the node {} of tree {}",
                name.1, name.0
            ));
        }
    }
    // The votes of each leaf, next to each other.
    let of = |suffix: &str| decl.ints(&format!("{votes}_{suffix}"));
    let vote_trees = of("treeids")?.unwrap_or_default();
    let vote_nodes = of("nodeids")?.unwrap_or_default();
    let vote_targets = places(of("ids")?, "votes")?;
    let weights = floats(decl, &format!("{votes}_weights"))?;
    if [vote_nodes.len(), vote_targets.len(), weights.len()]
        .iter()
        .any(|&n| n != vote_trees.len())
    {
        return fault("its attributes of leaves are not of one length");
    }
    let mut own: Vec<Vec<Vote>> = vec![Vec::new(); all];
    let names = vote_trees.into_iter().zip(vote_nodes);
    for (name, vote) in names.zip(vote_targets.into_iter().zip(weights)) {
        match at.get(&name) {
            Some(&place) => own[place].push(vote),
            None => {
                return fault(format!(
                    "it votes at a node {} that tree {} has not",
                    name.1, name.0
                ));
            }
        }
    }
    let (mut nodes, mut votes) = (Vec::with_capacity(all), Vec::new());
    let mut is_child = vec![false; all];
    for place in 0..all {
        let mode = Mode::of(&modes[place])?;
        let next = if mode == Mode::Leaf {
            let start = votes.len();
            votes.append(&mut own[place]);
            [start, votes.len()]
        } else {
            let find = |id: i64| {
                let found = at.get(&(trees[place], id)).copied();
                found.ok_or_else(|| format!("tree {} has no node {id}", trees[place]))
            };
            let next = [find(yes[place])?, find(no[place])?];
            next.iter().for_each(|&child| is_child[child] = true);
            next
        };
        nodes.push(Node {
            mode,
            missing: missing.get(place).is_some_and(|&m| m != 0),
            feature: features[place],
            threshold: values[place],
            next,
        });
    }
    let roots: Vec<usize> = (0..all).filter(|&place| !is_child[place]).collect();
    let mut once = std::collections::HashSet::new();
    let distinct: std::collections::HashSet<i64> = trees.iter().copied().collect();
    if !roots.iter().all(|&root| once.insert(trees[root])) || once.len() != distinct.len() {
        return fault("its trees have not one root each");
    }
    Forest::new(nodes, votes, Vec::new(), roots, targets)
}

fn together(name: &str) -> Result<Together> {
    Ok(match name {
        "SUM" => Together::Sum,
        "AVERAGE" => Together::Average,
        "MIN" => Together::Min,
        "MAX" => Together::Max,
        other => return fault(format!("its aggregate_function {other} is not supported")),
    })
}

pub(super) fn regressor(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let targets = usize::try_from(decl.must_int("n_targets")?).unwrap_or(0);
    let transform = Transform::of(decl)?.for_targets(targets)?;
    let together = together(&decl.text_or("aggregate_function", "SUM")?)?;
    let base = floats(decl, "base_values")?;
    let forest = forest(decl, "target", targets)?;
    regression(forest, together, transform, base, false)
}

/// Scores for each row. `alike` says whether they are of the operand's type, and not of float32.
fn regression(
    forest: Forest,
    together: Together,
    transform: Transform,
    base: Vec<f64>,
    alike: bool,
) -> Result<Option<Op>> {
    let targets = forest.targets;
    if targets == 0 || !(base.is_empty() || base.len() == targets) {
        return fault(format!(
            "{} base values are not of {targets} targets",
            base.len()
        ));
    }
    op(move |x, context| {
        let x = x.get(0)?;
        let rows = Rows::of(x)?;
        forest.check(&rows, context)?;
        let mut out = vec![0.0; rows.count * targets];
        let mut said = Said::default();
        for block in Forest::blocks(rows.count) {
            forest.run(&rows, block.clone(), together, &mut said);
            out[block.start * targets..block.end * targets].copy_from_slice(&said.scores);
        }
        for scores in out.chunks_exact_mut(targets) {
            scores
                .iter_mut()
                .zip(&base)
                .for_each(|(score, b)| *score += b);
            transform.apply(scores);
        }
        let ty = if alike {
            x.ty()
        } else {
            crate::tensor::Type::F32
        };
        one(Tensor::new(
            vec![rows.count, targets],
            Numbers::F64(out.into()).narrow(ty),
        )?)
    })
}

pub(super) fn classifier(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let labels = Labels::of(decl, "classlabels_int64s", "classlabels_strings")?;
    let transform = Transform::of(decl)?;
    let base = floats(decl, "base_values")?;
    let forest = forest(decl, "class", labels.len())?;
    let classes = Classes::new(labels, transform, base, &forest.votes)?;
    op(move |x, context| {
        let x = Rows::of(x.get(0)?)?;
        forest.check(&x, context)?;
        let n = forest.targets;
        let mut said = Said::default();
        let mut out = votes::Out::new(x.count, n);
        for block in Forest::blocks(x.count) {
            forest.run(&x, block, Together::Sum, &mut said);
            let rows = said.scores.chunks_exact_mut(n.max(1));
            for (scores, voted) in rows.zip(said.voted.chunks_exact(n.max(1))) {
                classes.finish(scores, voted, &mut out);
            }
        }
        Ok(classes.results(out))
    })
}

/// `TreeEnsemble`: nodes and leaves apart, and found by their places.
pub(super) fn ensemble(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let targets = usize::try_from(decl.int_or("n_targets", 0)?).unwrap_or(0);
    let transform = Transform::of_code(decl.int_or("post_transform", 0)?)?.for_targets(targets)?;
    let together = match decl.int_or("aggregate_function", 1)? {
        0 => Together::Average,
        1 => Together::Sum,
        2 => Together::Min,
        3 => Together::Max,
        other => return fault(format!("its aggregate_function {other} is not supported")),
    };
    let roots = places(decl.ints("tree_roots")?, "tree_roots")?;
    let features = places(decl.ints("nodes_featureids")?, "nodes_featureids")?;
    let yes = places(decl.ints("nodes_truenodeids")?, "nodes_truenodeids")?;
    let no = places(decl.ints("nodes_falsenodeids")?, "nodes_falsenodeids")?;
    let yes_leaf = decl.ints("nodes_trueleafs")?.unwrap_or_default();
    let no_leaf = decl.ints("nodes_falseleafs")?.unwrap_or_default();
    let missing = decl
        .ints("nodes_missing_value_tracks_true")?
        .unwrap_or_default();
    decl.unused("nodes_hitrates");
    let numbers = |name: &str| match decl.tensor(name)? {
        Some(t) => Ok::<_, crate::Fault>(super::wide(&t)?.into_owned()),
        None => Ok(Vec::new()),
    };
    let splits = numbers("nodes_splits")?;
    let members = numbers("membership_values")?;
    let weights = numbers("leaf_weights")?;
    let modes = match decl.tensor("nodes_modes")?.map(|t| t.data) {
        Some(Data::U8(v)) => v,
        _ => return fault("its nodes_modes are not uint8"),
    };
    let leaf_targets = places(decl.ints("leaf_targetids")?, "leaf_targetids")?;
    let (all, leaves) = (modes.len(), weights.len());
    let lengths = [
        features.len(),
        yes.len(),
        no.len(),
        yes_leaf.len(),
        no_leaf.len(),
        splits.len(),
    ];
    if lengths.iter().any(|&n| n != all)
        || (!missing.is_empty() && missing.len() != all)
        || leaf_targets.len() != leaves
    {
        return fault("its attributes of nodes or leaves are not of one length");
    }
    // A set is ended by a NaN, which the last one may leave out.
    let mut sets: Vec<Vec<f64>> = Vec::new();
    let mut rest = &members[..];
    while !rest.is_empty() {
        let end = rest.iter().position(|v| v.is_nan()).unwrap_or(rest.len());
        let mut set: Vec<f64> = rest[..end].iter().map(|v| v + 0.0).collect();
        set.sort_by(f64::total_cmp);
        sets.push(set);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    let mut nodes = Vec::with_capacity(all + leaves);
    let mut used = 0;
    for at in 0..all {
        let mode = Mode::of_code(modes[at])?;
        let child = |place: usize, leaf: i64| {
            let (most, from) = if leaf != 0 { (leaves, all) } else { (all, 0) };
            (place < most).then_some(place + from)
        };
        let next = child(yes[at], yes_leaf[at]).zip(child(no[at], no_leaf[at]));
        let (first, second) = next.ok_or("its trees lead to nodes that they do not have")?;
        let threshold = if mode == Mode::Member {
            used += 1;
            (used - 1) as f64
        } else {
            splits[at]
        };
        nodes.push(Node {
            mode,
            missing: missing.get(at).is_some_and(|&m| m != 0),
            feature: features[at],
            threshold,
            next: [first, second],
        });
    }
    if used != sets.len() {
        return fault(format!(
            "it has {} sets, and {used} nodes that ask for one",
            sets.len()
        ));
    }
    nodes.extend((0..leaves).map(|leaf| Node {
        mode: Mode::Leaf,
        missing: false,
        feature: 0,
        threshold: 0.0,
        next: [leaf, leaf + 1],
    }));
    if roots.iter().any(|&root| root >= all) {
        return fault("its tree_roots are not among its nodes");
    }
    let votes = leaf_targets.into_iter().zip(weights).collect();
    let forest = Forest::new(nodes, votes, sets, roots, targets)?;
    regression(forest, together, transform, Vec::new(), true)
}
