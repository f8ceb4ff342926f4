// Copies a buffer into another, four numbers a thread.

layout(local_size_x = 256) in;

layout(std430) readonly buffer Source {
    vec4 source[];
};
layout(std430) writeonly buffer Target {
    vec4 target[];
};

void main() {
    uint place = gl_WorkGroupID.y * gl_NumWorkGroups.x * gl_WorkGroupSize.x + gl_GlobalInvocationID.x;
    if (place < uint(source.length())) {
        target[place] = source[place];
    }
}
