//! Columns of numbers on a device, one an environment: what a task's equations step there.

use std::ops::{Add, Div, Mul, Neg, Sub};

use burn::tensor::Tensor;
use spo_envs::dynamics::Real;

/// One number of the state of each of N environments, `[N]`.
#[derive(Clone, Debug)]
pub(crate) struct Column(pub Tensor<1>);

macro_rules! operator {
    ($name:ident, $method:ident, $with_scalar:ident) => {
        impl $name for Column {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0))
            }
        }

        impl $name<f64> for Column {
            type Output = Self;
            fn $method(self, other: f64) -> Self {
                Self(self.0.$with_scalar(other))
            }
        }
    };
}

operator!(Add, add, add_scalar);
operator!(Sub, sub, sub_scalar);
operator!(Mul, mul, mul_scalar);
operator!(Div, div, div_scalar);

impl Neg for Column {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.neg())
    }
}

impl Real for Column {
    fn sin(self) -> Self {
        Self(self.0.sin())
    }
    fn cos(self) -> Self {
        Self(self.0.cos())
    }
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    fn clamp(self, low: f64, high: f64) -> Self {
        Self(self.0.clamp(low, high))
    }
    fn below(self, limit: f64) -> Self {
        Self(self.0.lower_elem(limit).float())
    }
    fn above(self, limit: f64) -> Self {
        Self(self.0.greater_elem(limit).float())
    }
    fn choose(self, yes: Self, no: Self) -> Self {
        Self(no.0.mask_where(self.0.greater_elem(0.5), yes.0))
    }
    fn wrap(self) -> Self {
        use std::f64::consts::PI;
        // Less whole turns, of none exactly 0, so that an angle within the range stays as it is. Not by `floor`, which
        // Burn's fusion does not take: it ends what is one kernel.
        let shifted = self.0.clone().add_scalar(PI);
        Self(self.0 - (shifted.clone() - shifted.remainder_scalar(2.0 * PI)))
    }
    fn unwind(self) -> Self {
        self.wrap()
    }
}
