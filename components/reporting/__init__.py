"""Tables, pictures and the page that show what a run came to. Data in, figures out."""
