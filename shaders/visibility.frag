// Which triangle each pixel sees; 0 is nothing.

flat in uint triangle;
layout(location = 0) out uint visible;

void main() {
    visible = triangle;
}
