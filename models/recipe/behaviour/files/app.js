const list = document.querySelector('#todo');
const input = document.querySelector('input[name="text"]');

function render(items) {
  list.replaceChildren(
    ...items.map((item) => {
      const line = document.createElement('li');
      line.textContent = item.text;
      line.classList.toggle('done', item.done);
      line.addEventListener('click', () => {
        item.done = !item.done;
        save(items);
      });
      return line;
    }),
  );
}

function save(items) {
  localStorage.setItem('todo', JSON.stringify(items));
  render(items);
}

document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  save([...load(), { text: input.value, done: false }]);
  input.value = '';
});

function load() {
  return JSON.parse(localStorage.getItem('todo') ?? '[]');
}

render(load());
