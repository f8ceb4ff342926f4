// Provides: GridVertex, grid_vertex().
// Which vertex of the grid gl_VertexID stands for.
//
// Every row of quads has vertices of its own, 2 (row cols + column) on its lower edge in y and one more
// on its upper: so each triangle has a provoking (last) vertex that no other triangle has, and the flat
// triangle id costs nothing. gl_PrimitiveID cost 15 to 30 % of the pass on llvmpipe.

#include "view.glsl"

struct GridVertex {
    ivec2 place;        // column, row
    uint triangle;      // id + 1 of the triangle that ends with it
};

GridVertex grid_vertex(int number) {
    int upper = number & 1;
    ivec2 quad = divide(number >> 1, grid.x);
    // The lower half of quad (i, j) ends with its vertex (i, j), the other half with (i+1, j+1).
    uint triangle = uint(2 * (quad.y * (grid.x - 1) + quad.x - upper) + upper + 1);
    return GridVertex(quad + ivec2(0, upper), triangle);
}
