import { createApp } from "vue";
import App from "./App.vue";
import "./page.css";

const app = createApp(App);
app.mount("#app");
