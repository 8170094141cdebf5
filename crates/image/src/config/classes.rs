//! The classes of processors, and what each has where a description does not say it.

use super::Wanted;
use crate::fault::{Result, config};
use crate::resample::Filter;

/// How a class makes a size of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizing {
    /// Exactly, or by the shortest edge.
    Plain,
    /// By the shortest edge, then the middle is cut (ConvNeXT).
    Crops,
    /// As DETR rounds.
    Detects,
    /// The same in multiples of 16 (YOLOS).
    DetectsIn16,
    /// The next smaller multiples (GLPN).
    Divides,
}

/// A class.
#[derive(Debug)]
pub(super) struct Class {
    pub name: &'static str,
    pub sizing: Sizing,
    /// Whether one number is both edges, and not the shortest one.
    pub square: bool,
    pub size: Wanted,
    pub filter: Filter,
    pub crop: Option<u32>,
    pub normalises: bool,
    pub mean: [f64; 3],
    pub std: [f64; 3],
    pub pads: bool,
    pub flips: bool,
}

const HALF: [f64; 3] = [0.5; 3];
const IMAGENET: [[f64; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
const CLIP: [[f64; 3]; 2] = [
    [0.481_454_66, 0.457_827_5, 0.408_210_73],
    [0.268_629_54, 0.261_302_58, 0.275_777_11],
];

const NONE: Wanted = Wanted {
    height: None,
    width: None,
    shortest: None,
    longest: None,
    most: None,
};

const fn exactly(edge: u32) -> Wanted {
    Wanted {
        height: Some(edge),
        width: Some(edge),
        ..NONE
    }
}

const fn shortest(edge: u32) -> Wanted {
    Wanted {
        shortest: Some(edge),
        ..NONE
    }
}

const VIT: Class = Class {
    name: "ViTImageProcessor",
    sizing: Sizing::Plain,
    square: true,
    size: exactly(224),
    filter: Filter::Bilinear,
    crop: None,
    normalises: true,
    mean: HALF,
    std: HALF,
    pads: false,
    flips: false,
};

const CLIP_LIKE: Class = Class {
    name: "CLIPImageProcessor",
    square: false,
    size: shortest(224),
    filter: Filter::Bicubic,
    crop: Some(224),
    mean: CLIP[0],
    std: CLIP[1],
    ..VIT
};

const MOBILE: Class = Class {
    name: "MobileNetV2ImageProcessor",
    square: false,
    size: shortest(256),
    crop: Some(224),
    ..VIT
};

const DETR: Class = Class {
    name: "DetrImageProcessor",
    sizing: Sizing::Detects,
    square: false,
    size: Wanted {
        longest: Some(1333),
        ..shortest(800)
    },
    mean: IMAGENET[0],
    std: IMAGENET[1],
    pads: true,
    ..VIT
};

const SQUARE_CROP: Class = Class {
    name: "BeitImageProcessor",
    size: exactly(256),
    filter: Filter::Bicubic,
    crop: Some(224),
    ..VIT
};

const ALL: [Class; 18] = [
    VIT,
    Class {
        name: "SiglipImageProcessor",
        filter: Filter::Bicubic,
        ..VIT
    },
    Class {
        name: "PvtImageProcessor",
        mean: IMAGENET[0],
        std: IMAGENET[1],
        ..VIT
    },
    CLIP_LIKE,
    Class {
        name: "BitImageProcessor",
        ..CLIP_LIKE
    },
    Class {
        name: "ConvNextImageProcessor",
        sizing: Sizing::Crops,
        square: false,
        size: shortest(384),
        ..VIT
    },
    MOBILE,
    Class {
        name: "MobileNetV1ImageProcessor",
        ..MOBILE
    },
    Class {
        name: "MobileViTImageProcessor",
        size: shortest(224),
        crop: Some(256),
        normalises: false,
        flips: true,
        ..MOBILE
    },
    Class {
        name: "EfficientNetImageProcessor",
        size: exactly(346),
        filter: Filter::Nearest,
        ..VIT
    },
    SQUARE_CROP,
    Class {
        name: "DeiTImageProcessor",
        ..SQUARE_CROP
    },
    Class {
        name: "SegformerImageProcessor",
        size: exactly(512),
        mean: IMAGENET[0],
        std: IMAGENET[1],
        ..VIT
    },
    DETR,
    Class {
        name: "ConditionalDetrImageProcessor",
        ..DETR
    },
    Class {
        name: "DeformableDetrImageProcessor",
        ..DETR
    },
    Class {
        name: "YolosImageProcessor",
        sizing: Sizing::DetectsIn16,
        ..DETR
    },
    Class {
        name: "RTDetrImageProcessor",
        size: exactly(640),
        normalises: false,
        pads: false,
        ..DETR
    },
];

const GLPN: Class = Class {
    name: "GLPNImageProcessor",
    sizing: Sizing::Divides,
    normalises: false,
    ..VIT
};

/// The classes that are known. Their names may end in `Fast`, and older ones in `FeatureExtractor`.
pub const CLASSES: [&str; ALL.len() + 1] = {
    let mut names = [GLPN.name; ALL.len() + 1];
    let mut i = 0;
    while i < ALL.len() {
        names[i] = ALL[i].name;
        i += 1;
    }
    names
};

impl Class {
    /// The class of a name.
    pub(super) fn named(name: &str) -> Result<&'static Class> {
        static KNOWN: [Class; ALL.len()] = ALL;
        static LAST: Class = GLPN;
        let family = |name: &'static str| name.strip_suffix("ImageProcessor");
        let stem = name
            .strip_suffix("ImageProcessor")
            .or(name.strip_suffix("FeatureExtractor"));
        let mut all = KNOWN.iter().chain([&LAST]);
        match all.find(|class| stem.is_some() && family(class.name) == stem) {
            Some(class) => Ok(class),
            None => config(format!("processors of the class {name} are not supported")),
        }
    }
}
