"""Contact sheets and overlay videos: what a person looks at to judge boxes, masks and pixels."""
