"""Automatic differentiation: ``torch.autograd``."""

from __future__ import annotations

from funcgrad.autograd import forward_ad as forward_ad
from funcgrad.autograd import functional as functional
from funcgrad.autograd import graph as graph
from funcgrad.autograd._backward import backward as backward
from funcgrad.autograd._backward import grad as grad
from funcgrad.autograd.anomaly_mode import detect_anomaly as detect_anomaly
from funcgrad.autograd.anomaly_mode import set_detect_anomaly as set_detect_anomaly
from funcgrad.autograd.function import Function as Function
from funcgrad.autograd.function import once_differentiable as once_differentiable
from funcgrad.autograd.grad_mode import enable_grad as enable_grad
from funcgrad.autograd.grad_mode import inference_mode as inference_mode
from funcgrad.autograd.grad_mode import no_grad as no_grad
from funcgrad.autograd.grad_mode import set_grad_enabled as set_grad_enabled
from funcgrad.autograd.grad_mode import set_multithreading_enabled as set_multithreading_enabled
from funcgrad.autograd.gradcheck import gradcheck as gradcheck
from funcgrad.autograd.gradcheck import gradgradcheck as gradgradcheck
from funcgrad.autograd.variable import Variable as Variable
