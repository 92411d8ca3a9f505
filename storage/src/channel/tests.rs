mod calls;
mod limits;
mod node;
mod strangers;
mod trouble;
