// The plain pass: colour and depth, no derivatives.

in vec3 color;
layout(location = 0) out vec4 image;    // r, g, b, depth in metres

void main() {
    image = vec4(color, 1.0 / gl_FragCoord.w);
}
