"""LaTeX inside a text, modestly: a formula becomes plain signs that the verbaliser reads. Pure, linear."""

from __future__ import annotations

import re

LONGEST = 400
"""Characters of a formula between its marks, at most."""

FORMULA = re.compile(
    rf"\$\$([^$]{{1,{LONGEST}}}+)\$\$"
    rf"|\$(?=[^\s$])((?:[^$\\\n]|\\.){{1,{LONGEST}}}+)(?<!\s)\$(?![0-9])"
    rf"|\\\(((?:[^\\\n]|\\(?!\))){{1,{LONGEST}}}+)\\\)"
    rf"|\\\[((?:[^\\]|\\(?!\])){{1,{LONGEST}}}+)\\\]"
)
"""A formula with its marks, at the place where it begins."""
SIGNS = re.compile(r"[\\^_={}<>+]|(?<=[a-zA-Z])\s*[-*/]|^[a-zA-Z]{1,2}'?$|^[a-zA-Z]\(.{1,5}\)$")
"""What makes a formula of a text between dollar signs, which are money else."""
MONEY = re.compile(r"[0-9.,]{1,20}+[^\\^_={}]*$")

COMMANDS = {
    "times": "×", "cdot": "×", "div": "÷", "pm": "±", "mp": "∓", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "ne": "≠", "neq": "≠", "approx": "≈", "sim": "~", "equiv": "≡", "propto": "∝", "infty": "∞", "to": "→",
    "rightarrow": "→", "leftarrow": "←", "Rightarrow": "⇒", "implies": "⇒", "in": "∈", "notin": "∉", "subset": "⊂",
    "cup": "∪", "cap": "∩", "forall": "∀", "exists": "∃", "sum": "∑", "prod": "∏", "int": "∫", "partial": "∂",
    "nabla": "∇", "sqrt": "√", "degree": "°", "circ": "°", "prime": "′", "ldots": "…", "dots": "…", "cdots": "…",
    "lt": "<", "gt": ">", "land": "∧", "lor": "∨", "neg": "¬", "angle": "∠", "perp": "⊥", "ell": "l", "hbar": "ħ",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ",
    "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
TIGHT = "√°′∂∇∞ℓħl"
"""Signs that stand close to what they belong to."""
GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
SILENT = frozenset(
    "left right big Big bigg Bigg mathrm mathbf mathit mathbb mathcal mathsf text textbf textit textrm operatorname "
    "displaystyle limits boxed quad qquad vec hat bar overline underline begin end label nonumber rm bf it".split()
)
"""Commands of the look alone. Others are read by their names: "sin", "log", "lim"."""

TOKEN = re.compile(r"\\([a-zA-Z]+)|\\(.)|\^\s*\{([0-9+-]{1,9})\}|_\s*\{?([0-9]{1,9})\}?|[{}]|&", re.DOTALL)
FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]{1,100})\}\s*\{([^{}]{1,100})\}")
SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def is_formula(content: str) -> bool:
    """Whether the text between two single dollar signs is a formula, and no text between two prices."""
    return SIGNS.search(content) is not None and MONEY.match(content) is None


def plain(formula: str) -> str:
    r""" "\frac{a}{b} \times 10^{3}" → "a / b × 10^3"."""
    return " ".join(TOKEN.sub(_plain, FRACTION.sub(_fraction, formula)).split())


def _fraction(m: re.Match[str]) -> str:
    above, below = m[1].strip(), m[2].strip()
    simple = above.isdigit() and below.isdigit()
    return f"{above}/{below}" if simple else f"{above} / {below}"


def _plain(m: re.Match[str]) -> str:
    command, escaped, power, index = m.group(1, 2, 3, 4)
    if command is not None:
        if command in SILENT:
            return ""
        sign = COMMANDS.get(command, command)
        return sign if sign in TIGHT or sign in GREEK else f" {sign} "
    if escaped is not None:
        return escaped if escaped in "%$#&_{}" else " "
    if power is not None:
        return f"^{power}"
    return index.translate(SUBSCRIPT) if index is not None else ""
