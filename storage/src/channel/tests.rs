mod calls;
mod limits;
mod node;
mod speed;
mod strangers;
mod trouble;
