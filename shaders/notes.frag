// Lays text, bars and panels over the screen; its rows run upwards, those of the notes downwards.

uniform sampler2D notes;        // sRGB, times opacity; opacity

layout(location = 0) out vec4 screen;

void main() {
    ivec2 size = textureSize(notes, 0);
    screen = texelFetch(notes, ivec2(gl_FragCoord.x, float(size.y) - gl_FragCoord.y), 0);
}
