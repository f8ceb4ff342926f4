// Provides: rho_and_weight(). The robust losses of glrender/solve/losses.py, numbered as in glrender/assembly/robust.py.

// log(1 + u) for u >= 0, finite if u is not. OpenGL promises log() near 1 to no more than 2^-21, whatever u is.
float log_one_plus(float u) {
    if (u > 1.0) {
        return log(min(1.0 + u, 3e38));
    }
    float s = u / (2.0 + u), q = s * s;     // log(1 + u) = 2 artanh(s)
    return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q / 11.0)))));
}

// rho(r) and rho'(r) / r of a normalised residual r >= 0; `k` has no meaning for least squares (0).
vec2 rho_and_weight(int loss, float k, float r) {
    if (loss == 1) {    // Huber
        float inside = min(r, k);
        return vec2(inside * (r - 0.5 * inside), k / max(r, k));
    }
    float u = (r / k) * (r / k);
    if (loss == 2) {    // Cauchy
        return vec2(0.5 * k * k * log_one_plus(u), 1.0 / (1.0 + u));
    }
    if (loss == 3) {    // Tukey
        u = min(u, 1.0);
        return vec2(k * k / 6.0 * u * (3.0 - u * (3.0 - u)), (1.0 - u) * (1.0 - u));
    }
    return vec2(0.5 * r * r, 1.0);
}
